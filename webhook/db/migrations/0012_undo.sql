ALTER TABLE "deployments" ADD COLUMN "undoes" uuid;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "undo_manifest" text;--> statement-breakpoint
ALTER TABLE "targets" ADD COLUMN "ran" text;--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "undo" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_undoes_deployments_id_fk" FOREIGN KEY ("undoes") REFERENCES "public"."deployments"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "deployments_undone_once" ON "deployments" USING btree ("undoes") WHERE state <> 'cancelled';