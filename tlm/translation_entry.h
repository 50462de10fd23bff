// The entries of a translation completion as they stand in its data. SPEC: [ATS 3.2]
#pragma once

#include <cstring>

#include "models/formats/ats_messages.h"
#include "tlm/pcie_protocol.h"

namespace svasim {

inline std::uint64_t encode_translation(const Translation& t) {
  using E = TranslationEntry;
  const std::uint64_t entry = E::R::make(t.read) | E::W::make(t.write) | E::U::make(t.untranslated_only) |
                              E::EXE::make(t.execute) | E::PRIV::make(t.privileged) |
                              E::GLOBAL::make(t.global) | E::N::make(t.non_snooped);
  return t.page_shift == 0 ? entry : entry | encode_range(t.address, t.page_shift).bits();
}

inline Translation decode_translation(std::uint64_t entry) {
  using E = TranslationEntry;
  const DecodedRange range = decode_range(entry);
  Translation t;
  t.address = range.address;
  t.page_shift = static_cast<std::uint8_t>(range.shift);
  t.read = E::R::get(entry) != 0;
  t.write = E::W::get(entry) != 0;
  t.untranslated_only = E::U::get(entry) != 0;
  t.execute = E::EXE::get(entry) != 0;
  t.privileged = E::PRIV::get(entry) != 0;
  t.global = E::GLOBAL::get(entry) != 0;
  t.non_snooped = E::N::get(entry) != 0;
  return t;
}

// How many a translation request asks for.
inline unsigned translations_asked(const tlm::tlm_generic_payload& request) {
  return request.get_data_length() / kTranslationEntryBytes;
}

// The entry of that number, from 0, of a successful completion. WHY the first one apart: it is known without
// data, too.
inline Translation translation_of(const tlm::tlm_generic_payload& completion, unsigned number) {
  const PcieExtension& pcie = *completion.get_extension<PcieExtension>();
  if (number == 0) {
    return pcie.translation;
  }
  std::uint64_t entry = 0;
  std::memcpy(&entry, completion.get_data_ptr() + std::size_t{number} * kTranslationEntryBytes, sizeof entry);
  return decode_translation(entry);
}

}  // namespace svasim
