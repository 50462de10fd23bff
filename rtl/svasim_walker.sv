// Page-table walker for the x86-64 first stage with four levels; one walk at a time.
//
// A walk starts at any level (a paging-structure cache may know a lower table), reads one entry per
// level, sets A in every entry it uses and D in the leaf of a write, and ends with a page or a
// fault. All outputs come from registers or from the state alone: nothing passes from an input to
// an output within a cycle. SPEC: [VTD 3.6]
`include "svasim_assert.svh"

module svasim_walker
  import svasim_walker_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,

  // Request
  input  logic        req_valid_i,
  output logic        req_ready_o,
  input  level_t      req_level_i,        // level of the first table: 4 (FSPTPTR) to 1
  input  logic [63:0] req_table_i,        // its address
  input  logic        req_upper_write_i,  // R/W and U/S of all entries above the first table
  input  logic        req_upper_user_i,
  input  logic [63:0] req_iova_i,
  input  logic        req_write_i,
  input  logic        req_user_i,         // U/S binds; 0 for PR=1 with SRE=1
  input  logic        req_wpe_i,          // R/W binds requests that are not user requests, too
  input  logic        req_need_access_i,  // missing rights are a fault
  input  logic        req_update_ad_i,    // A and D are kept
  input  logic        req_eafe_i,         // EA is set with A
  input  logic        req_snooped_i,      // the walk is coherent; otherwise an update is a fault
  input  logic        req_fs1gp_i,        // 1-GiB pages exist
  input  logic [5:0]  req_haw_i,          // host address width

  // Memory reads, 8 bytes each
  output logic        mem_valid_o,
  input  logic        mem_ready_i,
  output logic [63:0] mem_addr_o,
  input  logic        mem_rsp_valid_i,
  input  logic [63:0] mem_rsp_data_i,
  input  logic        mem_rsp_error_i,

  // Atomic updates: memory writes `new` if the entry still holds `old`, and answers what it held
  output logic        upd_valid_o,
  input  logic        upd_ready_i,
  output logic [63:0] upd_addr_o,
  output logic [63:0] upd_old_o,
  output logic [63:0] upd_new_o,
  input  logic        upd_rsp_valid_i,
  input  logic [63:0] upd_rsp_data_i,
  input  logic        upd_rsp_error_i,

  // Tables found on the way, for paging-structure caches: one pulse each
  output logic        step_valid_o,
  output level_t      step_level_o,
  output logic [63:0] step_table_o,
  output logic        step_write_o,
  output logic        step_user_o,

  // Result
  output logic        rsp_valid_o,
  input  logic        rsp_ready_i,
  output fault_e      rsp_fault_o,
  output level_t      rsp_level_o,        // of the leaf, or of the entry that faulted
  output logic [63:0] rsp_page_o,         // aligned to the page size; 0 with a fault
  output shift_t      rsp_shift_o,        // page size 2^shift; 0 with a fault
  output logic        rsp_write_o,        // rights over all levels (with a fault: over those passed)
  output logic        rsp_user_o,
  output logic        rsp_dirty_o,        // D of the leaf after the walk
  output logic [7:0]  rsp_reads_o,
  output logic [7:0]  rsp_updates_o
);

  state_e      state_d, state_q;
  request_t    req_d, req_q;
  level_t      level_d, level_q;
  logic [63:0] table_d, table_q;
  logic        upper_write_d, upper_write_q;
  logic        upper_user_d, upper_user_q;
  logic [63:0] entry_d, entry_q;
  logic        entry_error_d, entry_error_q;
  logic        update_error_d, update_error_q;
  fault_e      fault_d, fault_q;
  logic [63:0] page_d, page_q;
  shift_t      shift_d, shift_q;
  logic        dirty_d, dirty_q;
  logic [7:0]  reads_d, reads_q;
  logic [7:0]  updates_d, updates_q;

  /////////////
  // Address //
  /////////////

  logic        canonical;
  logic [63:0] index;       // of the entry in its table
  logic [63:0] entry_addr;

  assign canonical  = req_q.iova[63:IovaWidth-1] == '0 || &req_q.iova[63:IovaWidth-1];
  assign index      = (req_q.iova >> level_shift(level_q)) & 64'h1FF;
  assign entry_addr = table_q | (index << 3);

  ///////////////
  // The entry //
  ///////////////

  logic        present, reserved, leaf;
  logic [63:0] address;
  logic        all_write, all_user;   // rights down to this entry
  logic        may_write, may_access;
  logic        set_accessed, set_dirty;
  logic [63:0] marks;                 // A, EA and D bits this walk sets
  logic        update;
  fault_e      verdict;

  svasim_fs_entry u_entry (
    .entry_i   (entry_q),
    .level_i   (level_q),
    .haw_i     (req_q.haw),
    .fs1gp_i   (req_q.fs1gp),
    .present_o (present),
    .reserved_o(reserved),
    .leaf_o    (leaf),
    .address_o (address)
  );

  assign all_write = upper_write_q && entry_q[EntryRw];
  assign all_user  = upper_user_q && entry_q[EntryUs];

  // SPEC: [VTD 3.6.1]
  assign may_access = all_user || !req_q.user;
  assign may_write  = may_access && (all_write || !(req_q.user || req_q.wpe));

  // SPEC: [VTD 3.6.2] A leaf that the request must not use stays as it is; the entries above it were
  // used already when that shows.
  assign set_accessed = req_q.update_ad && (!leaf || may_access);
  assign set_dirty    = req_q.update_ad && leaf && req_q.write && may_write;
  always_comb begin
    marks          = '0;
    marks[EntryA]  = set_accessed;
    marks[EntryEa] = set_accessed && req_q.eafe;
    marks[EntryD]  = set_dirty;
  end
  assign update = (marks & ~entry_q) != '0;

  always_comb begin
    verdict = FaultNone;
    if (entry_error_q) begin
      verdict = level_q == level_t'(Levels) ? FaultTopAccess : FaultEntryAccess;
    end else if (!present) begin
      verdict = FaultNotPresent;
    end else if (reserved) begin
      verdict = FaultReserved;
    end else if (leaf && req_q.need_access && !may_access) begin
      verdict = FaultUser;
    end else if (leaf && req_q.need_access && req_q.write && !may_write) begin
      verdict = FaultWrite;
    end else if (update && !req_q.snooped) begin
      verdict = FaultUpdateSnoop;
    end
    if (update_error_q) begin
      verdict = FaultUpdateFailed;
    end
  end

  //////////////
  // The walk //
  //////////////

  always_comb begin
    state_d        = state_q;
    req_d          = req_q;
    level_d        = level_q;
    table_d        = table_q;
    upper_write_d  = upper_write_q;
    upper_user_d   = upper_user_q;
    entry_d        = entry_q;
    entry_error_d  = entry_error_q;
    update_error_d = update_error_q;
    fault_d        = fault_q;
    page_d         = page_q;
    shift_d        = shift_q;
    dirty_d        = dirty_q;
    reads_d        = reads_q;
    updates_d      = updates_q;
    step_valid_o   = 1'b0;

    unique case (state_q)
      StIdle: begin
        if (req_valid_i) begin
          req_d = '{
            iova:        req_iova_i,
            haw:         req_haw_i,
            write:       req_write_i,
            user:        req_user_i,
            wpe:         req_wpe_i,
            need_access: req_need_access_i,
            update_ad:   req_update_ad_i,
            eafe:        req_eafe_i,
            snooped:     req_snooped_i,
            fs1gp:       req_fs1gp_i
          };
          level_d        = req_level_i;
          table_d        = req_table_i;
          upper_write_d  = req_upper_write_i;
          upper_user_d   = req_upper_user_i;
          update_error_d = 1'b0;
          fault_d        = FaultNone;
          page_d         = '0;
          shift_d        = '0;
          dirty_d        = 1'b0;
          reads_d        = '0;
          updates_d      = '0;
          state_d        = StRead;
        end
      end

      StRead: begin
        if (!canonical) begin
          fault_d = FaultNotCanonical;
          state_d = StResult;
        end else if (mem_ready_i) begin
          reads_d = reads_q + 8'd1;
          state_d = StReadWait;
        end
      end

      StReadWait: begin
        if (mem_rsp_valid_i) begin
          entry_d       = mem_rsp_data_i;
          entry_error_d = mem_rsp_error_i;
          state_d       = StCheck;
        end
      end

      StCheck: begin
        fault_d = verdict;
        if (verdict != FaultNone) begin
          if (verdict == FaultUser || verdict == FaultWrite) begin
            upper_write_d = all_write;
            upper_user_d  = all_user;
          end
          state_d = StResult;
        end else if (update) begin
          state_d = StUpdate;
        end else if (leaf) begin
          page_d        = address;
          shift_d       = level_shift(level_q);
          dirty_d       = entry_q[EntryD];
          upper_write_d = all_write;
          upper_user_d  = all_user;
          state_d       = StResult;
        end else begin
          step_valid_o  = 1'b1;
          table_d       = address;
          level_d       = level_q - level_t'(1);
          upper_write_d = all_write;
          upper_user_d  = all_user;
          state_d       = StRead;
        end
      end

      StUpdate: begin
        if (upd_ready_i) begin
          updates_d = updates_q + 8'd1;
          state_d   = StUpdateWait;
        end
      end

      StUpdateWait: begin
        if (upd_rsp_valid_i) begin
          // WHY: back to StCheck even on success, so that it is the one place that decides. An
          // entry that changed meanwhile is looked at anew as memory answered it.
          entry_d        = upd_rsp_data_i == entry_q ? upd_new_o : upd_rsp_data_i;
          update_error_d = upd_rsp_error_i;
          state_d        = StCheck;
        end
      end

      StResult: begin
        if (rsp_ready_i) begin
          state_d = StIdle;
        end
      end

      default: begin
        state_d = StIdle;
      end
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q        <= StIdle;
      req_q          <= '0;
      level_q        <= level_t'(Levels);
      table_q        <= '0;
      upper_write_q  <= 1'b0;
      upper_user_q   <= 1'b0;
      entry_q        <= '0;
      entry_error_q  <= 1'b0;
      update_error_q <= 1'b0;
      fault_q        <= FaultNone;
      page_q         <= '0;
      shift_q        <= '0;
      dirty_q        <= 1'b0;
      reads_q        <= '0;
      updates_q      <= '0;
    end else begin
      state_q        <= state_d;
      req_q          <= req_d;
      level_q        <= level_d;
      table_q        <= table_d;
      upper_write_q  <= upper_write_d;
      upper_user_q   <= upper_user_d;
      entry_q        <= entry_d;
      entry_error_q  <= entry_error_d;
      update_error_q <= update_error_d;
      fault_q        <= fault_d;
      page_q         <= page_d;
      shift_q        <= shift_d;
      dirty_q        <= dirty_d;
      reads_q        <= reads_d;
      updates_q      <= updates_d;
    end
  end

  /////////////
  // Outputs //
  /////////////

  assign req_ready_o   = state_q == StIdle;

  assign mem_valid_o   = state_q == StRead && canonical;
  assign mem_addr_o    = entry_addr;

  assign upd_valid_o   = state_q == StUpdate;
  assign upd_addr_o    = entry_addr;
  assign upd_old_o     = entry_q;
  assign upd_new_o     = entry_q | marks;

  assign step_level_o  = level_q - level_t'(1);
  assign step_table_o  = address;
  assign step_write_o  = all_write;
  assign step_user_o   = all_user;

  assign rsp_valid_o   = state_q == StResult;
  assign rsp_fault_o   = fault_q;
  assign rsp_level_o   = level_q;
  assign rsp_page_o    = page_q;
  assign rsp_shift_o   = shift_q;
  assign rsp_write_o   = upper_write_q;
  assign rsp_user_o    = upper_user_q;
  assign rsp_dirty_o   = dirty_q;
  assign rsp_reads_o   = reads_q;
  assign rsp_updates_o = updates_q;

  ////////////////
  // Assertions //
  ////////////////

  // What the environment owes.
  `SVASIM_ASSUME(ReqStable_M, req_valid_i && !req_ready_o |=> req_valid_i && $stable({
      req_level_i, req_table_i, req_upper_write_i, req_upper_user_i, req_iova_i, req_write_i,
      req_user_i, req_wpe_i, req_need_access_i, req_update_ad_i, req_eafe_i, req_snooped_i,
      req_fs1gp_i, req_haw_i}))
  `SVASIM_ASSUME(ReqLevel_M, req_valid_i |-> req_level_i inside {[3'd1:level_t'(Levels)]})
  `SVASIM_ASSUME(ReqTable_M, req_valid_i |-> req_table_i[11:0] == '0)
  `SVASIM_ASSUME(ReqHaw_M, req_valid_i |-> req_haw_i inside {[6'd32:6'd52]})
  `SVASIM_ASSUME(MemAnswersARead_M, mem_rsp_valid_i |-> state_q == StReadWait)
  `SVASIM_ASSUME(MemAnswersAnUpdate_M, upd_rsp_valid_i |-> state_q == StUpdateWait)

  // Handshakes: what is offered stays until it is taken.
  `SVASIM_ASSERT(MemStable_A, mem_valid_o && !mem_ready_i |=> mem_valid_o && $stable(mem_addr_o))
  `SVASIM_ASSERT(UpdStable_A, upd_valid_o && !upd_ready_i |=>
      upd_valid_o && $stable({upd_addr_o, upd_old_o, upd_new_o}))
  `SVASIM_ASSERT(RspStable_A, rsp_valid_o && !rsp_ready_i |=>
      rsp_valid_o && $stable({rsp_fault_o, rsp_page_o, rsp_shift_o, rsp_write_o, rsp_user_o}))
  `SVASIM_ASSERT(OneChannelAtATime_A,
      $onehot0({req_ready_o, mem_valid_o, upd_valid_o, rsp_valid_o, step_valid_o}))

  // Memory is touched only where a table can be, and updates only ever set A, EA and D.
  `SVASIM_ASSERT(MemInTable_A, mem_valid_o |-> {mem_addr_o[63:12], 12'd0} == table_q &&
      mem_addr_o[2:0] == '0)
  `SVASIM_ASSERT(UpdSetsMarksOnly_A, upd_valid_o |-> upd_new_o != upd_old_o &&
      (upd_new_o ^ upd_old_o) == (marks & ~upd_old_o))
  `SVASIM_ASSERT(UpdDirtyNeedsWrite_A,
      upd_valid_o && upd_new_o[EntryD] && !upd_old_o[EntryD] |-> leaf && req_q.write && may_write)
  `SVASIM_ASSERT(UpdSnooped_A, upd_valid_o |-> req_q.snooped)

  // Levels only go down, by one.
  `SVASIM_ASSERT(LevelInRange_A, state_q != StIdle |-> level_q inside {[3'd1:level_t'(Levels)]})
  `SVASIM_ASSERT(StepGoesDown_A, step_valid_o |=> level_q == $past(level_q) - level_t'(1))

  // A result is a page or a fault, never both; a page is aligned to its size.
  `SVASIM_ASSERT(RspPageOrFault_A, rsp_valid_o |-> (rsp_fault_o == FaultNone) == (rsp_shift_o != '0))
  `SVASIM_ASSERT(RspAligned_A, rsp_valid_o |->
      (rsp_page_o & ((64'd1 << rsp_shift_o) - 64'd1)) == '0 && (rsp_page_o >> req_q.haw) == '0)
  `SVASIM_ASSERT(RspWriteMarksDirty_A, rsp_valid_o && rsp_fault_o == FaultNone && req_q.write &&
      req_q.need_access && req_q.update_ad |-> rsp_dirty_o)

endmodule
