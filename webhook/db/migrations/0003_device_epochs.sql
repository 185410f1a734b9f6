CREATE TABLE "device_epochs" (
	"device_id" text NOT NULL,
	"epoch" text NOT NULL,
	"number" integer NOT NULL,
	CONSTRAINT "device_epochs_device_id_epoch_pk" PRIMARY KEY("device_id","epoch")
);
--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "epoch_number" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "device_epochs" ADD CONSTRAINT "device_epochs_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;