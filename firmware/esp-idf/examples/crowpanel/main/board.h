/* Pins of the Elecrow CrowPanel 7.0" HMI (DIS08070H: ESP32-S3-WROOM-1-N4R8, 800×480 RGB panel), from Elecrow's published demo. */
#ifndef BOARD_H
#define BOARD_H

enum {
  BOARD_SD_MOSI = 11,
  BOARD_SD_MISO = 13,
  BOARD_SD_CLOCK = 12,
  BOARD_SD_SELECT = 10,

  /* The UART0 connector (shared with the USB serial chip) and the GPIO_D connector. */
  BOARD_UNO_TX = 43,
  BOARD_UNO_RX = 44,
  BOARD_UNO_RESET = 38,

  BOARD_LCD_WIDTH = 800,
  BOARD_LCD_HEIGHT = 480,
  BOARD_LCD_PIXEL_HZ = 15000000,
  BOARD_LCD_BACKLIGHT = 2,
  BOARD_LCD_ENABLE = 41,
  BOARD_LCD_VSYNC = 40,
  BOARD_LCD_HSYNC = 39,
  BOARD_LCD_CLOCK = 0,
};

/* Blue 0 to 4, green 0 to 5, red 0 to 4. */
#define BOARD_LCD_DATA {15, 7, 6, 5, 4, 9, 46, 3, 8, 16, 1, 14, 21, 47, 48, 45}

#endif
