#include "models/iommu/capabilities.h"

namespace svasim {

Capabilities::Capabilities(const IommuCapabilityParams& params) : params_(params) {
  using C = VtdCap;
  cap_ = C::ND::make(6) |
         C::SAGAW::make(C::kSagaw3Level | C::kSagaw4Level |
                        (params.second_stage_5_levels ? C::kSagaw5Level : 0)) |
         C::MGAW::make(params.guest_address_width - 1) | C::ZLR::make(1) |
         C::FRO::make(kFaultRecordOffset / 16) |
         C::SSLPS::make((params.second_stage_2m ? C::kSslps2M : 0) |
                        (params.second_stage_1g ? C::kSslps1G : 0)) |
         C::PSI::make(1) | C::NFR::make(params.fault_records - 1) | C::MAMV::make(params.max_address_mask) |
         C::DWD::make(1) | C::DRD::make(1) | C::FS1GP::make(params.first_stage && params.first_stage_1g) |
         C::FS5LP::make(params.first_stage && params.first_stage_5_levels) |
         C::ESRTPS::make(params.flush_on_set_root);

  using E = VtdEcap;
  const bool scalable = params.scalable_mode;
  const bool nested = scalable && translates(PasidGranularTranslation::kNested);
  ecap_ = E::C::make(params.coherent_walks) | E::QI::make(1) | E::DT::make(params.device_tlb) |
          E::PT::make(params.pass_through) | E::SC::make(params.snoop_control) | E::NEST::make(nested) |
          E::IRO::make(kIvaRegisterOffset / 16) | E::PRS::make(params.page_requests) |
          E::SRS::make(scalable && params.supervisor_requests) |
          E::NWFS::make(params.device_tlb && params.no_write_flag) |
          E::EAFS::make(scalable && params.extended_accessed) |
          E::PSS::make(scalable ? params.pasid_bits - 1 : 0) | E::PASID::make(scalable) |
          E::PDS::make(params.page_requests) | E::SMTS::make(scalable) |
          E::SSADS::make(scalable && params.second_stage_ad) |
          E::SSTS::make(scalable && params.second_stage) | E::FSTS::make(scalable && params.first_stage) |
          E::SMPWCS::make(scalable && params.coherent_walks) | E::RPS::make(scalable) |
          E::ADMS::make(params.abort_dma) | E::RPRIVS::make(scalable && params.supervisor_requests);

  PageFormatOptions options;
  options.host_address_width = params.host_address_width;
  options.first_stage_1g = params.first_stage_1g;
  options.second_stage_2m = params.second_stage_2m;
  options.second_stage_1g = params.second_stage_1g;
  options.snoop_control = params.snoop_control;
  for (const bool on : {false, true}) {
    options.extended_accessed = on;
    options.accessed_dirty = on;
    for (unsigned mode = 0; mode < first_stage_.size(); ++mode) {
      first_stage_[mode][on] = make_x86_first_stage(4 + mode, options);
    }
    for (unsigned width = 0; width < second_stage_.size(); ++width) {
      second_stage_[width][on] = make_vtd_second_stage(3 + width, options);
    }
  }
}

}  // namespace svasim
