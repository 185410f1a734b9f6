/** The board's LAN9118 (SMSC, "LAN9118 datasheet", revision 1.5) as an interface of lwIP. */
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <string.h>

#include "board.h"

/** Application note AN385, table 3-2. */
#define REGISTER(offset) (*(volatile uint32_t *)(0x40200000u + (offset)))
#define RX_DATA REGISTER(0x00)
#define TX_DATA REGISTER(0x20)
#define RX_STATUS REGISTER(0x40)
#define TX_STATUS REGISTER(0x48)
#define IRQ_CFG REGISTER(0x54)
#define INT_STS REGISTER(0x58)
#define INT_EN REGISTER(0x5C)
#define BYTE_TEST REGISTER(0x64)
#define FIFO_INT REGISTER(0x68)
#define TX_CFG REGISTER(0x70)
#define HW_CFG REGISTER(0x74)
#define RX_FIFO_INF REGISTER(0x7C)
#define TX_FIFO_INF REGISTER(0x80)
#define MAC_CSR_CMD REGISTER(0xA4)
#define MAC_CSR_DATA REGISTER(0xA8)

enum {
  hw_reset = 1,
  hw_store_and_forward = 1 << 20,
  /** Of 16 KiB; the rest, less the two status FIFOs, is for what comes: more than lwIP lets two connections send at once. */
  hw_transmit_fifo_kib = 3,
  tx_on = 2,
  irq_driven_high = 0x111,
  int_received = 1 << 3,
  mac_cr = 1,
  mac_address_high = 2,
  mac_address_low = 3,
  mac_transmit = 1 << 3,
  mac_receive = 1 << 2,
  mac_full_duplex = 1 << 20,
  csr_read = 1 << 30,
  first_and_last_segment = 3 << 12,
  rx_error = 1 << 15,
  crc_bytes = 4,
  frame_bytes = 1514,
};
#define CSR_BUSY (1u << 31)

static struct netif interface;

static uint32_t read_mac(uint32_t index) {
  MAC_CSR_CMD = CSR_BUSY | csr_read | index;
  while (MAC_CSR_CMD & CSR_BUSY) {
  }
  return MAC_CSR_DATA;
}

static void write_mac(uint32_t index, uint32_t value) {
  MAC_CSR_DATA = value;
  MAC_CSR_CMD = CSR_BUSY | index;
  while (MAC_CSR_CMD & CSR_BUSY) {
  }
}

static err_t transmit(struct netif *netif, struct pbuf *packet) {
  uint32_t frame[(frame_bytes + 3) / 4];
  (void)netif;
  if (packet->tot_len > frame_bytes) return ERR_BUF;
  while (TX_FIFO_INF >> 16 & 0xFF) (void)TX_STATUS;
  // Two command words stand before each frame.
  if ((TX_FIFO_INF & 0xFFFF) < packet->tot_len + 12u) return ERR_WOULDBLOCK;
  frame[(packet->tot_len - 1u) / 4] = 0;
  (void)pbuf_copy_partial(packet, frame, packet->tot_len, 0);
  TX_DATA = first_and_last_segment | packet->tot_len;
  TX_DATA = packet->tot_len;
  for (unsigned i = 0; i < (packet->tot_len + 3u) / 4; i++) TX_DATA = frame[i];
  return ERR_OK;
}

static void receive(void) {
  static uint32_t frame[2048 / 4];
  uint32_t status = RX_STATUS;
  uint32_t bytes = status >> 16 & 0x3FFF;
  for (unsigned i = 0; i < (bytes + 3) / 4; i++) {
    uint32_t word = RX_DATA;
    if (i < sizeof frame / sizeof frame[0]) frame[i] = word;
  }
  if ((status & rx_error) || bytes <= crc_bytes || bytes > sizeof frame) return;
  bytes -= crc_bytes;
  struct pbuf *packet = pbuf_alloc(PBUF_RAW, (uint16_t)bytes, PBUF_POOL);
  if (!packet) return;
  (void)pbuf_take(packet, frame, (uint16_t)bytes);
  if (interface.input(packet, &interface) != ERR_OK) (void)pbuf_free(packet);
}

static err_t open_interface(struct netif *netif) {
  uint32_t low = read_mac(mac_address_low);
  uint32_t high = read_mac(mac_address_high);
  memcpy(netif->hwaddr, &low, 4);
  memcpy(netif->hwaddr + 4, &high, 2);
  netif->hwaddr_len = 6;
  netif->name[0] = 'e';
  netif->name[1] = 'n';
  netif->mtu = 1500;
  netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
  netif->output = etharp_output;
  netif->linkoutput = transmit;
  return ERR_OK;
}

void board_start_network(void) {
  if (BYTE_TEST != 0x87654321) board_panic("there is no LAN9118");
  HW_CFG = hw_reset;
  while (HW_CFG & hw_reset) {
  }
  HW_CFG = hw_store_and_forward | hw_transmit_fifo_kib << 16;
  TX_CFG = tx_on;
  write_mac(mac_cr, mac_transmit | mac_receive | mac_full_duplex);
  FIFO_INT = 0;
  INT_STS = UINT32_MAX;
  INT_EN = int_received;
  IRQ_CFG = irq_driven_high;
  lwip_init();
  (void)netif_add_noaddr(&interface, NULL, open_interface, ethernet_input);
  netif_set_default(&interface);
  netif_set_up(&interface);
  (void)dhcp_start(&interface);
}

void board_poll_network(void) {
  while (RX_FIFO_INF >> 16 & 0xFF) receive();
  INT_STS = int_received;
  sys_check_timeouts();
}

uint32_t sys_now(void) { return (uint32_t)host_monotonic_ms(); }
