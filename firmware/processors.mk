# The agent executed on a Cortex-M3 and on RV32: its tests, under qemu, built by Debian's cross compilers with picolibc. Included by
# Makefile. All seeds and all power cuts take a while there: make processors SEEDS=3000 POWER=
SEEDS = 20
POWER = undo
# Bytes. RAM is the agent without the buffers that its owner chooses; the stack is what it and the test's port have used at most.
CODE_BUDGET = 24576
RAM_BUDGET = 8192
STACK_BUDGET = 3072
# crash.c, which is beside the agent.
CRASH_BUDGET = 768
# The module for delta updates, linked beside it: the patcher with what ties it to the agent, and its memory.
DELTA_CODE_BUDGET = 4096
DELTA_RAM_BUDGET = 4096
# The module for sealed objects, likewise; its memory is a chunk, which is decrypted in it.
SEAL_CODE_BUDGET = 3072
SEAL_RAM_BUDGET = 4608

PROCESSORS = arm riscv
# All that can run without files.
PROCESSOR_TESTS = parts patch delta seal update consent undo crash session damage power seeds

arm_NAME = Cortex-M3
arm_CC = arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb
arm_MEMORY = __flash=0,__flash_size=0x400000,__ram=0x21000000,__ram_size=0x1000000
arm_QEMU = qemu-system-arm -M mps2-an385
riscv_NAME = RV32
riscv_CC = riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32 -msave-restore
riscv_MEMORY = __flash=0x80000000,__flash_size=0x400000,__ram=0x80400000,__ram_size=0x1000000
riscv_QEMU = qemu-system-riscv32 -M virt -bios none

# Unwind tables are no part of a firmware.
PROCESSOR_FLAGS = --specs=picolibc.specs -std=gnu11 -Os -ffunction-sections -fdata-sections -fno-unwind-tables \
  -fno-asynchronous-unwind-tables -DFLOTA_DELTA -DFLOTA_SEAL -Wall -Wextra -Werror
QEMU_FLAGS = -display none -monitor none -serial none
argument_seeds = $(SEEDS)
argument_power = $(POWER)

# What no test calls, and programs do.
WHOLE_AGENT = -Wl,-u,ota_agent_suspend -Wl,-u,ota_agent_snapshot -Wl,-u,ota_crash_write -Wl,-u,ota_crash_poll

comma = ,
memory = $(foreach symbol,$(subst $(comma), ,$($(1)_MEMORY)) __stack_size=0x10000,-Wl,--defsym=$(symbol))

.PHONY: processors names $(PROCESSORS)
processors: $(PROCESSORS) names

names: $(patsubst agent/%.c,$(BUILD)/riscv/%.o,$(AGENT) $(STAGING) $(CRASH))
	@riscv64-unknown-elf-nm --defined-only --extern-only $^ | awk -v least=50 -f agent/test/names.awk

# Other arguments are another run. Made while this is read: as the target of a rule it would be a secondary file, whose absence rebuilds nothing.
ARGUMENTS = $(BUILD)/run-$(SEEDS)-$(words $(POWER))
$(shell mkdir -p $(BUILD) && { test -e $(ARGUMENTS) || { rm -f $(BUILD)/run-*; touch $(ARGUMENTS); }; })

define processor_rules
$(BUILD)/$(1)/%.o: agent/%.c $(HEADERS)
	@mkdir -p $$(@D)
	$($(1)_CC) $(PROCESSOR_FLAGS) -c -o $$@ $$<

$(BUILD)/$(1)/%.o: agent/test/%.c $(HEADERS)
	@mkdir -p $$(@D)
	$($(1)_CC) $(PROCESSOR_FLAGS) -c -o $$@ $$<

# The agent as it is for a program without these modules: this is what the budgets are for. The tests' server needs hpke.o.
$(BUILD)/$(1)/plain/%.o: agent/%.c $(HEADERS)
	@mkdir -p $$(@D)
	$($(1)_CC) $(PROCESSOR_FLAGS) -UFLOTA_DELTA -UFLOTA_SEAL -c -o $$@ $$<

$(BUILD)/$(1)/plain/update.elf: $(BUILD)/$(1)/update_test.o $(patsubst agent/%.c,$(BUILD)/$(1)/plain/%.o,$(CORE)) $(patsubst agent/%.c,$(BUILD)/$(1)/%.o,$(STAGING) $(CRASH) agent/hpke.c) $(FAKE:agent/test/%.c=$(BUILD)/$(1)/%.o)
	$($(1)_CC) $(PROCESSOR_FLAGS) --oslib=semihost --crt0=semihost $(call memory,$(1)) $(WHOLE_AGENT) -Wl,-Map=$$(@:.elf=.map) -o $$@ $$^

$(BUILD)/$(1)/%.elf: $(BUILD)/$(1)/%_test.o $(patsubst agent/%.c,$(BUILD)/$(1)/%.o,$(AGENT) $(STAGING) $(CRASH)) $(FAKE:agent/test/%.c=$(BUILD)/$(1)/%.o)
	$($(1)_CC) $(PROCESSOR_FLAGS) --oslib=semihost --crt0=semihost $(call memory,$(1)) $(WHOLE_AGENT) -Wl,-Map=$$(@:.elf=.map) -o $$@ $$^

# The last line of a test says how many held and how deep the stack was; qemu says all of it on its standard error.
$(BUILD)/$(1)/%.log: $(BUILD)/$(1)/%.elf
	@$($(1)_QEMU) $(QEMU_FLAGS) -semihosting-config 'enable=on,target=native,arg=$$(argument_$$*)' -kernel $$< >$$@ 2>&1 || { tail -n 3 $$@; exit 1; }

$(1): $(PROCESSOR_TESTS:%=$(BUILD)/$(1)/%.log) $(BUILD)/$(1)/plain/update.log $(BUILD)/$(1)/footprint.o
	@{ cat $$(filter %.log,$$^) $(BUILD)/$(1)/plain/update.map; echo 'With the modules'; cat $(BUILD)/$(1)/update.map; size -A $(BUILD)/$(1)/footprint.o; } | awk -v name=$($(1)_NAME) \
	  -v code_budget=$(CODE_BUDGET) -v ram_budget=$(RAM_BUDGET) -v stack_budget=$(STACK_BUDGET) -v crash_budget=$(CRASH_BUDGET) \
	  -v delta_code_budget=$(DELTA_CODE_BUDGET) -v delta_ram_budget=$(DELTA_RAM_BUDGET) \
	  -v seal_code_budget=$(SEAL_CODE_BUDGET) -v seal_ram_budget=$(SEAL_RAM_BUDGET) -f agent/test/budget.awk

$(BUILD)/$(1)/seeds.log $(BUILD)/$(1)/power.log: $(ARGUMENTS)
endef
$(foreach it,$(PROCESSORS),$(eval $(call processor_rules,$(it))))
