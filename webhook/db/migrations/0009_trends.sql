CREATE TABLE "deployment_moments" (
	"deployment_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"counts" jsonb NOT NULL,
	CONSTRAINT "deployment_moments_deployment_id_at_pk" PRIMARY KEY("deployment_id","at")
);
--> statement-breakpoint
CREATE TABLE "fleet_hours" (
	"hour" timestamp with time zone PRIMARY KEY NOT NULL,
	"total" integer NOT NULL,
	"online" integer NOT NULL,
	"versions" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "deployment_moments" ADD CONSTRAINT "deployment_moments_deployment_id_deployments_id_fk" FOREIGN KEY ("deployment_id") REFERENCES "public"."deployments"("id") ON DELETE cascade ON UPDATE no action;