/* The SD card (FAT over SPI), where images are staged while the old slot stays as it is. */
#ifndef CARD_H
#define CARD_H

/* The file to stage in, or NULL: no card that can be read. A card is never formatted. */
const char *card_staging_file(void);

#endif
