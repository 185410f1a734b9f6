# The agent as the firmware of an emulated board: an MPS2 with a Cortex-M3 (AN385), lwIP and Mbed TLS from Debian's source packages,
# which ../.ci/board-sources.ts puts there. Included by Makefile, after processors.mk.
LWIP_VERSION = 2.1.3+dfsg1-2
MBEDTLS_VERSION = 2.28.3-1
SOURCES = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/flota-tests
LWIP = $(SOURCES)/lwip-$(LWIP_VERSION)/src
MBEDTLS = $(SOURCES)/mbedtls-$(MBEDTLS_VERSION)

BOARD = $(wildcard board/*.c)
# What is portable of the device for a desk PC.
BOARD_SHARED = $(patsubst %,host/%.c,crash digest enroll hold life options slots)
BOARD_LWIP = $(wildcard $(LWIP)/core/*.c $(LWIP)/core/ipv4/*.c) $(LWIP)/netif/ethernet.c
# What board/mbedtls_config.h leaves anything of; more than half of its sources are then empty.
BOARD_MBEDTLS = $(patsubst %,$(MBEDTLS)/library/%.c, \
  aes asn1parse asn1write base64 bignum cipher cipher_wrap constant_time ctr_drbg ecdh ecdsa ecp ecp_curves entropy gcm md oid pem pk \
  pk_wrap pkparse pkwrite platform platform_util psa_crypto psa_crypto_aead psa_crypto_cipher psa_crypto_client \
  psa_crypto_driver_wrappers psa_crypto_ecp psa_crypto_hash psa_crypto_mac psa_crypto_slot_management sha256 ssl_ciphersuites ssl_cli \
  ssl_msg ssl_tls x509 x509_create x509_crt x509write_csr)
BOARD_HEADERS = $(HEADERS) $(wildcard host/*.h board/*.h board/arch/*.h)
BOARD_FLAGS = $(PROCESSOR_FLAGS) -O2 -g -I board -I $(LWIP)/include -I $(MBEDTLS)/include -DMBEDTLS_CONFIG_FILE='"mbedtls_config.h"'
BOARD_OWN = $(patsubst %.c,$(BUILD)/board/%.o,$(AGENT) $(CRASH) $(BOARD_SHARED) $(BOARD))
BOARD_FOREIGN = $(patsubst $(LWIP)/%.c,$(BUILD)/board/lwip/%.o,$(BOARD_LWIP)) \
  $(patsubst $(MBEDTLS)/library/%.c,$(BUILD)/board/mbedtls/%.o,$(BOARD_MBEDTLS))

.PHONY: board
board: $(BUILD)/flota-board.elf

$(BUILD)/board/%.o: %.c $(BOARD_HEADERS)
	@mkdir -p $(@D)
	$(arm_CC) $(BOARD_FLAGS) -Wshadow -D_DEFAULT_SOURCE -c -o $@ $<

# Nobody steps through these two: what is optimized less and has no debugging information is made in less time.
$(BUILD)/board/lwip/%.o: $(LWIP)/%.c $(BOARD_HEADERS)
	@mkdir -p $(@D)
	$(arm_CC) $(BOARD_FLAGS) -w -O1 -g0 -c -o $@ $<

$(BUILD)/board/mbedtls/%.o: $(MBEDTLS)/library/%.c $(BOARD_HEADERS)
	@mkdir -p $(@D)
	$(arm_CC) $(BOARD_FLAGS) -w -O1 -g0 -c -o $@ $<

$(BUILD)/flota-board.elf: $(BOARD_OWN) $(BOARD_FOREIGN)
	$(arm_CC) $(PROCESSOR_FLAGS) --oslib=semihost --crt0=semihost $(call memory,arm) -Wl,--gc-sections -o $@ $^
