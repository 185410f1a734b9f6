/** lwIP without an operating system: one loop, memory from malloc, IPv4, DHCP, DNS and TCP. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_IPV6 0
#define LWIP_DHCP 1
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define DHCP_DOES_ARP_CHECK 0
#define LWIP_DNS 1
/** Whoever runs the emulator has more addresses of its own than the one that the gateway stands for: qemu's network leads to them. */
#define LWIP_HOOK_IP4_ROUTE(dest) netif_default
#define LWIP_UDP 1
#define LWIP_TCP 1
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 4
#define TCP_MSS 1460
/** Two connections with full windows fit into the FIFO of the controller (ethernet.c). */
#define TCP_WND (4 * TCP_MSS)
#define TCP_SND_BUF (8 * TCP_MSS)
#define TCP_SND_QUEUELEN 64
#define MEMP_NUM_TCP_SEG 64
#define PBUF_POOL_SIZE 64
#define LWIP_TIMERS 1
#define LWIP_STATS 0

#endif
