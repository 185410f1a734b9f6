CREATE TABLE "health_judgements" (
	"deployment_id" uuid NOT NULL,
	"signal" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"judgement" jsonb NOT NULL,
	CONSTRAINT "health_judgements_deployment_id_signal_at_pk" PRIMARY KEY("deployment_id","signal","at")
);
--> statement-breakpoint
CREATE TABLE "health_observations" (
	"deployment_id" uuid NOT NULL,
	"signal" text NOT NULL,
	"device_id" text NOT NULL,
	"treated" boolean NOT NULL,
	"before" double precision,
	"sum" double precision DEFAULT 0 NOT NULL,
	"weight" double precision DEFAULT 0 NOT NULL,
	CONSTRAINT "health_observations_deployment_id_signal_device_id_pk" PRIMARY KEY("deployment_id","signal","device_id")
);
--> statement-breakpoint
CREATE TABLE "device_incidents" (
	"id" bigserial NOT NULL,
	"device_id" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"kind" text NOT NULL,
	"amount" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "health_judgements" ADD CONSTRAINT "health_judgements_deployment_id_deployments_id_fk" FOREIGN KEY ("deployment_id") REFERENCES "public"."deployments"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "health_observations" ADD CONSTRAINT "health_observations_deployment_id_deployments_id_fk" FOREIGN KEY ("deployment_id") REFERENCES "public"."deployments"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "health_observations" ADD CONSTRAINT "health_observations_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "device_incidents_device" ON "device_incidents" USING btree ("device_id","at");