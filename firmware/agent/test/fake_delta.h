/** A device that runs an image of some sectors, and a release that it is offered as a patch. */
#ifndef FAKE_DELTA_H
#define FAKE_DELTA_H

#include "fake.h"
#include "fake_patch.h"

/** After fake_new: DEPLOYMENT is requested by patch. */
void fake_offer(struct fake *fake, int compression);

/** The same, but the release comes compressed: as a patch that needs no image. */
void fake_offer_compressed(struct fake *fake, int compression);

/** As a webhook does it: a device that tells why it takes no patch is sent the whole image. */
void fake_answer_fault(struct fake *fake, const char *topic, const char *payload);

#endif
