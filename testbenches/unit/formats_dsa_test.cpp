// DSA layouts against the operating system's own header, where it is installed.
#include <gtest/gtest.h>

#include <cstring>

#include "models/formats/dsa_descriptor.h"
#include "models/formats/dsa_operands.h"
#include "models/formats/dsa_registers.h"

#if __has_include(<linux/idxd.h>)
#include <linux/idxd.h>
#endif

namespace svasim {
namespace {

TEST(DsaDescriptor, ByBitNumber) {
  DsaDescriptor d;
  d.set_pasid(Pasid(0xABCDE), true);
  d.set_operation(DsaOpcode::kMemmove,
                  DsaFlags::COMPLETION_ADDRESS_VALID::kMask | DsaFlags::REQUEST_COMPLETION_RECORD::kMask);
  std::uint32_t words[2];
  std::memcpy(words, &d, sizeof words);
  EXPECT_EQ(words[0], 0x800ABCDEu);
  EXPECT_EQ(words[1], 0x0300000Cu);
  EXPECT_EQ(d.opcode(), DsaOpcode::kMemmove);
  EXPECT_EQ(d.flags(), 0xCu);
  EXPECT_TRUE(d.flag<DsaFlags::REQUEST_COMPLETION_RECORD>());
  EXPECT_FALSE(d.flag<DsaFlags::BLOCK_ON_FAULT>());
  EXPECT_EQ(d.pasid(), Pasid(0xABCDE));
  EXPECT_TRUE(d.privileged());
}

TEST(DsaCompletionRecord, StatusByte) {
  DsaCompletionRecord record;
  record.set_status(DsaStatus::kPageFault, true);
  EXPECT_EQ(record.status, 0x83u);
  EXPECT_EQ(record.code(), DsaStatus::kPageFault);
  EXPECT_FALSE(dsa_writes_record(DsaStatus::kSuccess, false));
  EXPECT_TRUE(dsa_writes_record(DsaStatus::kSuccess, true));
  EXPECT_TRUE(dsa_writes_record(DsaStatus::kPageFault, false));
}

TEST(DsaPortal, Offsets) {
  EXPECT_EQ(dsa_portal_offset(0, DsaPortal::kUnlimited), 0u);
  EXPECT_EQ(dsa_portal_offset(3, DsaPortal::kLimited), 3u * 0x4000 + 0x1000);
  EXPECT_EQ(dsa_portal_queue(0xD040), 3u);
  EXPECT_EQ(dsa_portal_kind(0xD040), DsaPortal::kLimited);
  EXPECT_EQ(DsaWqcfg::stride(1), 64u);
}

#if __has_include(<linux/idxd.h>)
// The operating system's layouts, byte by byte. SPEC: [LINUX include/uapi/linux/idxd.h]
#define SAME_PLACE(theirs, ours, base) \
  static_assert(offsetof(dsa_hw_desc, theirs) == offsetof(DsaDescriptor, specific) + offsetof(base, ours))
SAME_PLACE(expected_res, expected_result, DsaCompareOperands);
SAME_PLACE(delta_addr, delta_address, DsaCreateDeltaOperands);
SAME_PLACE(max_delta_size, max_delta_size, DsaCreateDeltaOperands);
SAME_PLACE(expected_res_mask, expected_results, DsaCreateDeltaOperands);
SAME_PLACE(delta_rec_size, delta_size, DsaApplyDeltaOperands);
SAME_PLACE(dest2, destination_2, DsaDualcastOperands);
SAME_PLACE(crc_seed, seed, DsaCrcOperands);
SAME_PLACE(seed_addr, seed_address, DsaCrcOperands);
SAME_PLACE(src_dif_flags, source_flags, DsaDifOperands);
SAME_PLACE(dif_chk_flags, flags, DsaDifOperands);
SAME_PLACE(chk_ref_tag_seed, source.reference, DsaDifOperands);
SAME_PLACE(chk_app_tag_mask, source.application_mask, DsaDifOperands);
SAME_PLACE(chk_app_tag_seed, source.application, DsaDifOperands);
SAME_PLACE(dest_dif_flag, destination_flags, DsaDifOperands);
SAME_PLACE(dif_ins_flags, flags, DsaDifOperands);
SAME_PLACE(ins_ref_tag_seed, destination.reference, DsaDifOperands);
SAME_PLACE(ins_app_tag_mask, destination.application_mask, DsaDifOperands);
SAME_PLACE(ins_app_tag_seed, destination.application, DsaDifOperands);
SAME_PLACE(src_upd_flags, source_flags, DsaDifOperands);
SAME_PLACE(upd_dest_flags, destination_flags, DsaDifOperands);
SAME_PLACE(dif_upd_flags, flags, DsaDifOperands);
SAME_PLACE(src_ref_tag_seed, source.reference, DsaDifOperands);
SAME_PLACE(src_app_tag_mask, source.application_mask, DsaDifOperands);
SAME_PLACE(src_app_tag_seed, source.application, DsaDifOperands);
SAME_PLACE(dest_ref_tag_seed, destination.reference, DsaDifOperands);
SAME_PLACE(dest_app_tag_mask, destination.application_mask, DsaDifOperands);
SAME_PLACE(dest_app_tag_seed, destination.application, DsaDifOperands);
#undef SAME_PLACE
#define SAME_PLACE(theirs, ours, base)                     \
  static_assert(offsetof(dsa_completion_record, theirs) == \
                offsetof(DsaCompletionRecord, specific) + offsetof(base, ours))
SAME_PLACE(delta_rec_size, size, DsaDeltaResult);
SAME_PLACE(crc_val, value, DsaCrcResult);
SAME_PLACE(dif_chk_ref_tag, source.reference, DsaDifResults);
SAME_PLACE(dif_chk_app_tag_mask, source.application_mask, DsaDifResults);
SAME_PLACE(dif_chk_app_tag, source.application, DsaDifResults);
SAME_PLACE(dif_ins_ref_tag, destination.reference, DsaDifResults);
SAME_PLACE(dif_ins_app_tag_mask, destination.application_mask, DsaDifResults);
SAME_PLACE(dif_ins_app_tag, destination.application, DsaDifResults);
SAME_PLACE(dif_upd_dest_ref_tag, destination.reference, DsaDifResults);
SAME_PLACE(dif_upd_dest_app_tag, destination.application, DsaDifResults);
#undef SAME_PLACE

TEST(DsaAgainstLinux, Opcodes) {
  const std::pair<DsaOpcode, int> pairs[] = {
      {DsaOpcode::kNoop, DSA_OPCODE_NOOP},
      {DsaOpcode::kBatch, DSA_OPCODE_BATCH},
      {DsaOpcode::kDrain, DSA_OPCODE_DRAIN},
      {DsaOpcode::kMemmove, DSA_OPCODE_MEMMOVE},
      {DsaOpcode::kFill, DSA_OPCODE_MEMFILL},
      {DsaOpcode::kCompare, DSA_OPCODE_COMPARE},
      {DsaOpcode::kComparePattern, DSA_OPCODE_COMPVAL},
      {DsaOpcode::kCreateDelta, DSA_OPCODE_CR_DELTA},
      {DsaOpcode::kApplyDelta, DSA_OPCODE_AP_DELTA},
      {DsaOpcode::kDualcast, DSA_OPCODE_DUALCAST},
      {DsaOpcode::kCrcGeneration, DSA_OPCODE_CRCGEN},
      {DsaOpcode::kCopyCrc, DSA_OPCODE_COPY_CRC},
      {DsaOpcode::kDifCheck, DSA_OPCODE_DIF_CHECK},
      {DsaOpcode::kDifInsert, DSA_OPCODE_DIF_INS},
      {DsaOpcode::kDifStrip, DSA_OPCODE_DIF_STRP},
      {DsaOpcode::kDifUpdate, DSA_OPCODE_DIF_UPDT},
      {DsaOpcode::kCacheFlush, DSA_OPCODE_CFLUSH},
  };
  for (const auto& [ours, theirs] : pairs) EXPECT_EQ(static_cast<int>(ours), theirs) << dsa_opcode_name(ours);
}

TEST(DsaAgainstLinux, StatusCodes) {
  const std::pair<DsaStatus, int> pairs[] = {
      {DsaStatus::kSuccess, DSA_COMP_SUCCESS},
      {DsaStatus::kSuccessFalsePredicate, DSA_COMP_SUCCESS_PRED},
      {DsaStatus::kPageFault, DSA_COMP_PAGE_FAULT_NOBOF},
      {DsaStatus::kPageFaultInvalidResponse, DSA_COMP_PAGE_FAULT_IR},
      {DsaStatus::kBatchFail, DSA_COMP_BATCH_FAIL},
      {DsaStatus::kBatchPageFault, DSA_COMP_BATCH_PAGE_FAULT},
      {DsaStatus::kDifError, DSA_COMP_DIF_ERR},
      {DsaStatus::kBadOpcode, DSA_COMP_BAD_OPCODE},
      {DsaStatus::kInvalidFlags, DSA_COMP_INVALID_FLAGS},
      {DsaStatus::kReservedField, DSA_COMP_NOZERO_RESERVE},
      {DsaStatus::kTransferSize, DSA_COMP_XFER_ERANGE},
      {DsaStatus::kDescriptorCount, DSA_COMP_DESC_CNT_ERANGE},
      {DsaStatus::kFieldValue, DSA_COMP_DR_ERANGE},
      {DsaStatus::kOverlappingBuffers, DSA_COMP_OVERLAP_BUFFERS},
      {DsaStatus::kDualcastAlignment, DSA_COMP_DCAST_ERR},
      {DsaStatus::kDescriptorListAlignment, DSA_COMP_DESCLIST_ALIGN},
      {DsaStatus::kInterruptHandle, DSA_COMP_INT_HANDLE_INVAL},
      {DsaStatus::kCompletionRecordFault, DSA_COMP_CRA_XLAT},
      {DsaStatus::kCompletionRecordAlignment, DSA_COMP_CRA_ALIGN},
      {DsaStatus::kAddressAlignment, DSA_COMP_ADDR_ALIGN},
      {DsaStatus::kPrivilege, DSA_COMP_PRIV_BAD},
      {DsaStatus::kTrafficClass, DSA_COMP_TRAFFIC_CLASS_CONF},
      {DsaStatus::kDrainReadbackFault, DSA_COMP_PFAULT_RDBA},
      {DsaStatus::kHardwareError, DSA_COMP_HW_ERR1},
      {DsaStatus::kHardwareErrorWrite, DSA_COMP_HW_ERR_DRB},
      {DsaStatus::kTranslationError, DSA_COMP_TRANSLATION_FAIL},
  };
  for (const auto& [ours, theirs] : pairs) EXPECT_EQ(static_cast<int>(ours), theirs) << dsa_status_name(ours);
}

TEST(DsaAgainstLinux, Flags) {
  EXPECT_EQ(DsaFlags::FENCE::kMask, IDXD_OP_FLAG_FENCE);
  EXPECT_EQ(DsaFlags::BLOCK_ON_FAULT::kMask, IDXD_OP_FLAG_BOF);
  EXPECT_EQ(DsaFlags::COMPLETION_ADDRESS_VALID::kMask, IDXD_OP_FLAG_CRAV);
  EXPECT_EQ(DsaFlags::REQUEST_COMPLETION_RECORD::kMask, IDXD_OP_FLAG_RCR);
  EXPECT_EQ(DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask, IDXD_OP_FLAG_RCI);
  EXPECT_EQ(DsaFlags::CHECK_RESULT::kMask, IDXD_OP_FLAG_CR);
  EXPECT_EQ(DsaFlags::CACHE_CONTROL_1::kMask, IDXD_OP_FLAG_CC);
  EXPECT_EQ(DsaFlags::STRICT_ORDERING::kMask, IDXD_OP_FLAG_STORD);
  EXPECT_EQ(DsaCompletionRecord::WRITE::kMask, DSA_COMP_STATUS_WRITE);
}

TEST(DsaAgainstLinux, Images) {
  ASSERT_EQ(sizeof(dsa_hw_desc), sizeof(DsaDescriptor));
  dsa_hw_desc theirs{};
  theirs.pasid = 0x12345;
  theirs.priv = 1;
  theirs.flags = 0x00A5C3;
  theirs.opcode = DSA_OPCODE_MEMFILL;
  theirs.completion_addr = 0x1111111111111120;
  theirs.pattern = 0x2222222222222222;
  theirs.dst_addr = 0x3333333333333333;
  theirs.xfer_size = 0x44444444;
  theirs.int_handle = 0x5555;
  DsaDescriptor ours;
  ours.set_pasid(Pasid(0x12345), true);
  ours.set_operation(DsaOpcode::kFill, 0x00A5C3);
  ours.completion_address = 0x1111111111111120;
  ours.source = 0x2222222222222222;
  ours.destination = 0x3333333333333333;
  ours.transfer_size = 0x44444444;
  ours.interrupt_handle = 0x5555;
  EXPECT_EQ(std::memcmp(&theirs, &ours, sizeof ours), 0);

  ASSERT_EQ(sizeof(dsa_completion_record), sizeof(DsaCompletionRecord));
  DsaCompletionRecord record;
  record.set_status(DsaStatus::kPageFault, true);
  record.result = 1;
  record.bytes_completed = 0x12345678;
  record.fault_address = 0x7f0000001000;
  dsa_completion_record read_back;
  std::memcpy(&read_back, &record, sizeof record);
  EXPECT_EQ(read_back.status, DSA_COMP_PAGE_FAULT_NOBOF | DSA_COMP_STATUS_WRITE);
  EXPECT_EQ(read_back.result, 1);
  EXPECT_EQ(read_back.bytes_completed, 0x12345678u);
  EXPECT_EQ(read_back.fault_addr, 0x7f0000001000u);
}
#endif

}  // namespace
}  // namespace svasim
