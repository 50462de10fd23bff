# Verilator from the distribution's package; its CMake file is not on the default search path.
find_package(verilator REQUIRED HINTS $ENV{VERILATOR_ROOT} /usr/share/verilator)
find_package(ZLIB REQUIRED)  # of Verilator's FST writer

# svasim_verilate(<target> TOP <module> SOURCES ... [WAIVERS x.vlt] [INCLUDE_DIRS ...] [DEPS ...])
#
# A static library with the C++ model V<module> of a SystemVerilog module, waves (FST) included.
# Assertions are always compiled in: Verilator 5.006 leaves them out unless told. The model's time
# unit and precision are 1 ps, as SystemC's. $stop and failed assertions go to the vl_stop of
# models/rtl/verilated_stop.cpp.
#
# WHY: --cc and not --sc: our wrapper makes the clock edges itself, so that the model is evaluated
# only while it has work, and no pin becomes a signal with a delta cycle.
function(svasim_verilate target)
  cmake_parse_arguments(ARG "" "TOP" "SOURCES;WAIVERS;INCLUDE_DIRS;DEPS" ${ARGN})
  set(includes)
  foreach(dir IN LISTS ARG_INCLUDE_DIRS)
    list(APPEND includes -I${dir})
  endforeach()

  add_library(${target} STATIC ${PROJECT_SOURCE_DIR}/models/rtl/verilated_stop.cpp)
  verilate(${target} TRACE_FST
    TOP_MODULE ${ARG_TOP}
    PREFIX V${ARG_TOP}
    SOURCES ${ARG_WAIVERS} ${ARG_SOURCES}
    OPT_FAST -O2 OPT_SLOW -O1 OPT_GLOBAL -O2
    VERILATOR_ARGS --assert -Wall ${includes} --timescale-override 1ps/1ps
                   --x-assign unique --x-initial unique -O3)
  # WHY: generated code is not ours to warn about, to sanitize or to cover; SYSTEM says the same to
  # whoever includes it.
  target_compile_options(${target} PRIVATE -w)
  if(SVASIM_SANITIZE)
    target_compile_options(${target} PRIVATE -fno-sanitize=all)
  endif()
  if(SVASIM_COVERAGE)
    target_compile_options(${target} PRIVATE -fno-profile-arcs -fno-test-coverage)
  endif()
  set_target_properties(${target} PROPERTIES SYSTEM ON)
  target_compile_definitions(${target} PRIVATE VL_USER_STOP)
  target_link_libraries(${target} PRIVATE ${ARG_DEPS} PUBLIC ZLIB::ZLIB)

  set(lint ${VERILATOR_BIN} --lint-only -Wall --assert ${includes} --top-module ${ARG_TOP}
    ${ARG_WAIVERS} ${ARG_SOURCES})
  set_target_properties(${target} PROPERTIES SVASIM_LINT_COMMAND "${lint}")
endfunction()

# A ctest that lints the sources of a Verilated target: any warning without a waiver fails it.
function(svasim_lint_test target)
  get_target_property(command ${target} SVASIM_LINT_COMMAND)
  add_test(NAME ${target}.lint COMMAND ${command})
  set_tests_properties(${target}.lint PROPERTIES LABELS rtl)
endfunction()
