#include "sim/script/layouts.h"

#include <algorithm>

#include "models/formats/vtd_context.h"
#include "models/formats/vtd_registers.h"

namespace svasim {
namespace {

using Base = RegisterName::Base;

template <unsigned Hi, unsigned Lo>
constexpr FieldName named(const char* name, Field<Hi, Lo>, bool address, unsigned shift = 0) {
  return {name, Hi + shift, Lo + shift, address};
}
template <unsigned Hi, unsigned Lo>
constexpr FieldName named(const char* name, WideField<Hi, Lo>, bool address, unsigned shift = 0) {
  return {name, Hi + shift, Lo + shift, address};
}

// clang-format off
#define BITS(S, N) named(#N, S::N(), false)
#define ADDRESS(S, N) named(#N, S::N(), true)
#define UPPER(S, N) named(#N, S::N(), false, 64)
// clang-format on

FieldNames event_control() { return {BITS(VtdEventControl, IM), BITS(VtdEventControl, IP)}; }
FieldNames event_data() { return {BITS(VtdEventData, IMD)}; }
FieldNames event_address() { return {ADDRESS(VtdEventAddress, MA)}; }

std::vector<RegisterName> make_registers() {
  using namespace vtd_reg;
  const FieldNames cap = {BITS(VtdCap, ND),    BITS(VtdCap, RWBF),    BITS(VtdCap, PLMR),
                          BITS(VtdCap, PHMR),  BITS(VtdCap, CM),      BITS(VtdCap, SAGAW),
                          BITS(VtdCap, MGAW),  BITS(VtdCap, ZLR),     BITS(VtdCap, FRO),
                          BITS(VtdCap, SSLPS), BITS(VtdCap, PSI),     BITS(VtdCap, NFR),
                          BITS(VtdCap, MAMV),  BITS(VtdCap, DWD),     BITS(VtdCap, DRD),
                          BITS(VtdCap, FS1GP), BITS(VtdCap, PI),      BITS(VtdCap, FS5LP),
                          BITS(VtdCap, ECMDS), BITS(VtdCap, ESIRTPS), BITS(VtdCap, ESRTPS)};
  const FieldNames ecap = {
      BITS(VtdEcap, C),    BITS(VtdEcap, QI),     BITS(VtdEcap, DT),     BITS(VtdEcap, IR),
      BITS(VtdEcap, EIM),  BITS(VtdEcap, PT),     BITS(VtdEcap, SC),     BITS(VtdEcap, IRO),
      BITS(VtdEcap, MHMV), BITS(VtdEcap, MTS),    BITS(VtdEcap, NEST),   BITS(VtdEcap, PRS),
      BITS(VtdEcap, ERS),  BITS(VtdEcap, SRS),    BITS(VtdEcap, NWFS),   BITS(VtdEcap, EAFS),
      BITS(VtdEcap, PSS),  BITS(VtdEcap, PASID),  BITS(VtdEcap, DIT),    BITS(VtdEcap, PDS),
      BITS(VtdEcap, SMTS), BITS(VtdEcap, VCS),    BITS(VtdEcap, SSADS),  BITS(VtdEcap, SSTS),
      BITS(VtdEcap, FSTS), BITS(VtdEcap, SMPWCS), BITS(VtdEcap, RPS),    BITS(VtdEcap, TDXCS),
      BITS(VtdEcap, PMS),  BITS(VtdEcap, ADMS),   BITS(VtdEcap, RPRIVS), BITS(VtdEcap, HPTS),
      BITS(VtdEcap, PTRS), BITS(VtdEcap, SSIRWS), BITS(VtdEcap, SMS),    BITS(VtdEcap, HPT1GPS),
      BITS(VtdEcap, RDTS), BITS(VtdEcap, EIMER),  BITS(VtdEcap, IRREQ)};
  const FieldNames frcd = {{"FI", 63, 12, true},   UPPER(VtdFrcdHigh, F),   UPPER(VtdFrcdHigh, T1),
                           UPPER(VtdFrcdHigh, AT), UPPER(VtdFrcdHigh, PV),  UPPER(VtdFrcdHigh, FR),
                           UPPER(VtdFrcdHigh, PP), UPPER(VtdFrcdHigh, EXE), UPPER(VtdFrcdHigh, PRIV),
                           UPPER(VtdFrcdHigh, T2), UPPER(VtdFrcdHigh, SID)};
  return {
      {"VER", kVer, 4, Base::kFixed, {BITS(VtdVer, MAJOR), BITS(VtdVer, MINOR)}},
      {"CAP", kCap, 8, Base::kFixed, cap},
      {"ECAP", kEcap, 8, Base::kFixed, ecap},
      {"GCMD",
       kGcmd,
       4,
       Base::kFixed,
       {BITS(VtdGcmd, TE), BITS(VtdGcmd, SRTP), BITS(VtdGcmd, WBF), BITS(VtdGcmd, QIE), BITS(VtdGcmd, IRE),
        BITS(VtdGcmd, SIRTP), BITS(VtdGcmd, CFI)}},
      {"GSTS",
       kGsts,
       4,
       Base::kFixed,
       {BITS(VtdGsts, TES), BITS(VtdGsts, RTPS), BITS(VtdGsts, WBFS), BITS(VtdGsts, QIES),
        BITS(VtdGsts, IRES), BITS(VtdGsts, IRTPS), BITS(VtdGsts, CFIS)}},
      {"RTADDR",
       kRtaddr,
       8,
       Base::kFixed,
       {ADDRESS(VtdRtaddr, RTA), BITS(VtdRtaddr, TTM), BITS(VtdRtaddr, SSIRWE)}},
      {"CCMD",
       kCcmd,
       8,
       Base::kFixed,
       {{"ICC", 63, 63, false},
        {"CIRG", 62, 61, false},
        {"CAIG", 60, 59, false},
        {"FM", 33, 32, false},
        {"SID", 31, 16, false},
        {"DID", 15, 0, false}}},
      {"FSTS",
       kFsts,
       4,
       Base::kFixed,
       {BITS(VtdFsts, FRI), BITS(VtdFsts, ITE), BITS(VtdFsts, ICE), BITS(VtdFsts, IQE), BITS(VtdFsts, PPF),
        BITS(VtdFsts, PFO)}},
      {"FECTL", kFectl, 4, Base::kFixed, event_control()},
      {"FEDATA", kFedata, 4, Base::kFixed, event_data()},
      {"FEADDR", kFeaddr, 4, Base::kFixed, event_address()},
      {"FEUADDR", kFeuaddr, 4, Base::kFixed, {}},
      {"PMEN", kPmen, 4, Base::kFixed, {{"EPM", 31, 31, false}, {"PRS", 0, 0, false}}},
      {"IQH", kIqh, 8, Base::kFixed, {ADDRESS(VtdIqHead, OFFSET)}},
      {"IQT", kIqt, 8, Base::kFixed, {ADDRESS(VtdIqTail, OFFSET)}},
      {"IQA", kIqa, 8, Base::kFixed, {ADDRESS(VtdIqa, IQA), BITS(VtdIqa, DW), BITS(VtdIqa, QS)}},
      {"ICS", kIcs, 4, Base::kFixed, {BITS(VtdIcs, IWC)}},
      {"IECTL", kIectl, 4, Base::kFixed, event_control()},
      {"IEDATA", kIedata, 4, Base::kFixed, event_data()},
      {"IEADDR", kIeaddr, 4, Base::kFixed, event_address()},
      {"IEUADDR", kIeuaddr, 4, Base::kFixed, {}},
      {"IQERCD",
       kIqercd,
       8,
       Base::kFixed,
       {BITS(VtdIqercd, ICESID), BITS(VtdIqercd, ITESID), BITS(VtdIqercd, IQEI)}},
      {"IRTA", kIrta, 8, Base::kFixed, {{"IRTA", 63, 12, true}, {"EIME", 11, 11, false}, {"S", 3, 0, false}}},
      {"PQH", kPqh, 8, Base::kFixed, {ADDRESS(VtdPqHead, OFFSET)}},
      {"PQT", kPqt, 8, Base::kFixed, {ADDRESS(VtdPqTail, OFFSET)}},
      {"PQA", kPqa, 8, Base::kFixed, {ADDRESS(VtdPqa, PQA), BITS(VtdPqa, PQS)}},
      {"PRS", kPrs, 4, Base::kFixed, {BITS(VtdPrs, PRO), BITS(VtdPrs, PPR)}},
      {"PECTL", kPectl, 4, Base::kFixed, event_control()},
      {"PEDATA", kPedata, 4, Base::kFixed, event_data()},
      {"PEADDR", kPeaddr, 4, Base::kFixed, event_address()},
      {"PEUADDR", kPeuaddr, 4, Base::kFixed, {}},
      {"IVA", 0, 8, Base::kIotlb, {{"ADDR", 63, 12, true}, {"IH", 6, 6, false}, {"AM", 5, 0, false}}},
      {"IOTLB",
       8,
       8,
       Base::kIotlb,
       {{"IVT", 63, 63, false},
        {"IIRG", 61, 60, false},
        {"IAIG", 58, 57, false},
        {"DR", 49, 49, false},
        {"DW", 48, 48, false},
        {"DID", 47, 32, false}}},
      {"FRCD", 0, 16, Base::kFaultRecords, frcd},
  };
}

std::vector<DescriptorName> make_descriptors() {
  using T = InvalidationType;
  using C = ContextCacheDescriptor;
  using I = IotlbDescriptor;
  using D = DeviceTlbDescriptor;
  using E = InterruptEntryDescriptor;
  using W = WaitDescriptor;
  using PI = PasidIotlbDescriptor;
  using PC = PasidCacheDescriptor;
  using PD = PasidDeviceTlbDescriptor;
  using R = PageGroupResponseDescriptor;
  return {
      {"context", T::kContextCache, {BITS(C, G), BITS(C, DID), BITS(C, SID), BITS(C, FM)}},
      {"iotlb",
       T::kIotlb,
       {BITS(I, G), BITS(I, DW), BITS(I, DR), BITS(I, DID), BITS(I, AM), BITS(I, IH), ADDRESS(I, ADDR)}},
      {"device-tlb",
       T::kDeviceTlb,
       {BITS(D, PFSID_LOW), BITS(D, MIP), BITS(D, SID), BITS(D, PFSID_HIGH), BITS(D, S), ADDRESS(D, ADDR)}},
      {"interrupt", T::kInterruptEntryCache, {BITS(E, G), BITS(E, IM), BITS(E, IIDX)}},
      {"wait",
       T::kWait,
       {BITS(W, IF), BITS(W, SW), BITS(W, FN), BITS(W, PD), BITS(W, STATUS_DATA), ADDRESS(W, STATUS_ADDR)}},
      {"pasid-iotlb",
       T::kPasidIotlb,
       {BITS(PI, G), BITS(PI, DID), BITS(PI, PASID), BITS(PI, AM), BITS(PI, IH), ADDRESS(PI, ADDR)}},
      {"pasid-cache", T::kPasidCache, {BITS(PC, G), BITS(PC, DID), BITS(PC, PASID)}},
      {"pasid-device-tlb",
       T::kPasidDeviceTlb,
       {BITS(PD, MIP), BITS(PD, PFSID_LOW), BITS(PD, SID), BITS(PD, PASID), BITS(PD, PFSID_HIGH),
        BITS(PD, GI), BITS(PD, S), ADDRESS(PD, ADDR)}},
      {"group-response",
       T::kPageGroupResponse,
       {BITS(R, PP), BITS(R, RC), BITS(R, RID), BITS(R, PASID), BITS(R, PRGI)}},
  };
}

}  // namespace

std::uint64_t FieldName::mask() const {
  const unsigned width = hi - lo + 1;
  const std::uint64_t all = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  return address ? all << (lo % 64) : all;
}

std::uint64_t FieldName::get(const std::vector<std::uint64_t>& words) const {
  const std::uint64_t word = words.at(lo / 64);
  return address ? word & mask() : (word >> (lo % 64)) & mask();
}

void FieldName::set(std::vector<std::uint64_t>& words, std::uint64_t value) const {
  std::uint64_t& word = words.at(lo / 64);
  const unsigned shift = address ? 0 : lo % 64;
  word = (word & ~(mask() << shift)) | (value << shift);
}

const FieldName* find_field(const FieldNames& fields, const std::string& name) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const FieldName& f) { return name == f.name; });
  return found == fields.end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const FieldNames& fields) {
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const FieldName& field : fields) names.emplace_back(field.name);
  return names;
}

const std::vector<RegisterName>& script_registers() {
  static const std::vector<RegisterName> registers = make_registers();
  return registers;
}

const RegisterName* find_script_register(const std::string& name) {
  for (const RegisterName& entry : script_registers()) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

const std::vector<DescriptorName>& script_descriptors() {
  static const std::vector<DescriptorName> descriptors = make_descriptors();
  return descriptors;
}

const DescriptorName* find_script_descriptor(const std::string& name) {
  for (const DescriptorName& entry : script_descriptors()) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

const FieldNames& legacy_context_fields() {
  using E = LegacyContextEntry;
  static const FieldNames fields = {BITS(E, P),          BITS(E, FPD), BITS(E, TT),
                                    ADDRESS(E, SSPTPTR), BITS(E, AW),  BITS(E, DID)};
  return fields;
}

const FieldNames& scalable_context_fields() {
  using E = ScalableContextEntry;
  static const FieldNames fields = {BITS(E, P),         BITS(E, FPD),     BITS(E, DTE),
                                    BITS(E, PASIDE),    BITS(E, PRE),     BITS(E, HPTE),
                                    BITS(E, EPTR),      BITS(E, PDTS),    ADDRESS(E, PASIDDIRPTR),
                                    BITS(E, RID_PASID), BITS(E, RID_PRIV)};
  return fields;
}

const FieldNames& pasid_entry_fields() {
  using E = PasidTableEntry;
  static const FieldNames fields = {
      BITS(E, P),          BITS(E, FPD),        BITS(E, AW),    BITS(E, PGTT),   BITS(E, SSADE),
      ADDRESS(E, SSPTPTR), BITS(E, DID),        BITS(E, PWSNP), BITS(E, PGSNP),  BITS(E, CD),
      BITS(E, EMTE),       BITS(E, PAT),        BITS(E, SRE),   BITS(E, FSPM),   BITS(E, WPE),
      BITS(E, EAFE),       ADDRESS(E, FSPTPTR), BITS(E, HPTSZ), BITS(E, HPTPFD), BITS(E, HPTDID)};
  return fields;
}

}  // namespace svasim
