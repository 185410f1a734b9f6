CREATE TABLE "rollout_marks" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"deployment_id" uuid NOT NULL
);
--> statement-breakpoint
DROP INDEX "deployments_running";--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "start_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "memory" jsonb DEFAULT '{"gates":[{"successPercent":90,"failurePercent":20,"silencePercent":100,"soakMs":0}],"wave":0,"soakSince":null,"forgiven":[],"halted":null,"recent":[]}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "next_look_at" timestamp with time zone DEFAULT now();--> statement-breakpoint
ALTER TABLE "targets" ADD COLUMN "wave" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "targets" ADD COLUMN "attempts_forgiven" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "rollout_marks_deployment" ON "rollout_marks" USING btree ("deployment_id");--> statement-breakpoint
CREATE INDEX "deployments_unfinished" ON "deployments" USING btree ("next_look_at") WHERE finished_at is null;--> statement-breakpoint
CREATE INDEX "targets_waiting" ON "targets" USING btree ("deployment_id","wave","device_id") WHERE state = 'pending';