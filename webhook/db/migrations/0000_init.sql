CREATE TABLE "audit_log" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"detail" jsonb,
	"hash" text
);
--> statement-breakpoint
CREATE TABLE "api_tokens" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"token_hash" text NOT NULL,
	"role" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	CONSTRAINT "api_tokens_token_hash_unique" UNIQUE("token_hash")
);
--> statement-breakpoint
CREATE TABLE "login_attempts" (
	"key" text PRIMARY KEY NOT NULL,
	"count" integer NOT NULL,
	"reset_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"email" text NOT NULL,
	"password_hash" text NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"disabled_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "certificates" (
	"serial" text PRIMARY KEY NOT NULL,
	"profile" text NOT NULL,
	"common_name" text NOT NULL,
	"certificate" text NOT NULL,
	"chain" text NOT NULL,
	"not_before" timestamp with time zone NOT NULL,
	"not_after" timestamp with time zone NOT NULL,
	"issued_at" timestamp with time zone DEFAULT now() NOT NULL,
	"first_seen_at" timestamp with time zone,
	"csr_hash" text,
	"revoked_at" timestamp with time zone,
	"revocation_reason" text,
	"revoked_by" text,
	"revocation_confirmed_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "device_bans" (
	"device_id" text PRIMARY KEY NOT NULL,
	"reason" text NOT NULL,
	"banned_by" text NOT NULL,
	"banned_at" timestamp with time zone DEFAULT now() NOT NULL,
	"lifted_at" timestamp with time zone,
	"tell_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "enrollment_tokens" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"profile" text NOT NULL,
	"common_name" text NOT NULL,
	"names" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_by" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_by_csr" text,
	"used_at" timestamp with time zone,
	"same_key_as" text
);
--> statement-breakpoint
CREATE TABLE "published_crls" (
	"name" text PRIMARY KEY NOT NULL,
	"number" bigint NOT NULL,
	"next_update" timestamp with time zone NOT NULL,
	"published_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "renewals" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"device_id" text NOT NULL,
	"request_id" text NOT NULL,
	"csr" text NOT NULL,
	"slash" boolean NOT NULL,
	"try_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "deployments" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"firmware_id" uuid NOT NULL,
	"state" text NOT NULL,
	"selection" jsonb NOT NULL,
	"policy" jsonb NOT NULL,
	"start_at" timestamp with time zone,
	"memory" jsonb NOT NULL,
	"next_look_at" timestamp with time zone DEFAULT now(),
	"swept_at" timestamp with time zone,
	"window_opens_at" timestamp with time zone,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"device_id" text NOT NULL,
	"topic" text NOT NULL,
	"deployment_id" uuid,
	"attempt" integer,
	"body" jsonb,
	"tries" integer DEFAULT 0 NOT NULL,
	"send_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "rollout_marks" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"deployment_id" uuid NOT NULL,
	"joins" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE TABLE "target_events" (
	"id" bigserial NOT NULL,
	"deployment_id" uuid NOT NULL,
	"device_id" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"event" text NOT NULL,
	"state" text NOT NULL,
	"detail" text
);
--> statement-breakpoint
CREATE TABLE "target_tallies" (
	"deployment_id" uuid NOT NULL,
	"wave" integer NOT NULL,
	"state" text NOT NULL,
	"n" integer NOT NULL,
	"silent" integer NOT NULL,
	"timed" integer NOT NULL,
	"download_ms" bigint NOT NULL,
	"resumed" integer NOT NULL,
	"broken_off" integer NOT NULL,
	"lost" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "targets" (
	"deployment_id" uuid NOT NULL,
	"device_id" text NOT NULL,
	"component" text NOT NULL,
	"wave" integer DEFAULT 0 NOT NULL,
	"state" text NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"attempts_forgiven" integer DEFAULT 0 NOT NULL,
	"cancel_requested" boolean DEFAULT false NOT NULL,
	"received_bytes" bigint DEFAULT 0 NOT NULL,
	"total_bytes" bigint NOT NULL,
	"bytes_per_second" double precision,
	"error_code" text,
	"error_message" text,
	"stats" jsonb,
	"next_attempt_at" timestamp with time zone,
	"deadline_at" timestamp with time zone,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "targets_deployment_id_device_id_pk" PRIMARY KEY("deployment_id","device_id")
);
--> statement-breakpoint
CREATE TABLE "components" (
	"device_id" text NOT NULL,
	"component" text NOT NULL,
	"hardware" text,
	"version" text NOT NULL,
	"sha256" text NOT NULL,
	"security_version" integer NOT NULL,
	"boot_seq" integer NOT NULL,
	"seq_number" integer NOT NULL,
	"reported_at" timestamp with time zone NOT NULL,
	CONSTRAINT "components_device_id_component_pk" PRIMARY KEY("device_id","component")
);
--> statement-breakpoint
CREATE TABLE "devices" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"region_id" uuid,
	"division_id" uuid,
	"hardware" text NOT NULL,
	"tags" text[] DEFAULT '{}'::text[] NOT NULL,
	"online" boolean DEFAULT false NOT NULL,
	"reachable" boolean DEFAULT false NOT NULL,
	"connected_at" timestamp with time zone,
	"last_seen_at" timestamp with time zone,
	"certificate_serial" text,
	"blocked" boolean DEFAULT false NOT NULL,
	"health" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "divisions" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	CONSTRAINT "divisions_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "regions" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"time_zone" text DEFAULT 'UTC' NOT NULL,
	CONSTRAINT "regions_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "dead_letters" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"code" text NOT NULL,
	"detail" text NOT NULL,
	"client_id" text,
	"topic" text,
	"body" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "received_messages" (
	"device_id" text NOT NULL,
	"message_id" text NOT NULL,
	"digest" text NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "received_messages_device_id_message_id_pk" PRIMARY KEY("device_id","message_id")
);
--> statement-breakpoint
CREATE TABLE "firmwares" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"version" text NOT NULL,
	"file_name" text NOT NULL,
	"author" text NOT NULL,
	"hardware" text NOT NULL,
	"component" text NOT NULL,
	"security_version" integer NOT NULL,
	"release_note" text NOT NULL,
	"s3_path" text NOT NULL,
	"size_bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"manifest" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "firmwares_version_file_name" UNIQUE("version","file_name")
);
--> statement-breakpoint
CREATE TABLE "control_commands" (
	"id" text PRIMARY KEY NOT NULL,
	"device_id" text NOT NULL,
	"command" text NOT NULL,
	"args" jsonb,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"answered_at" timestamp with time zone,
	"response" jsonb
);
--> statement-breakpoint
CREATE TABLE "device_logs" (
	"id" bigserial NOT NULL,
	"device_id" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"level" text NOT NULL,
	"message" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "telemetry" (
	"id" bigserial NOT NULL,
	"device_id" text NOT NULL,
	"topic" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"body" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_firmware_id_firmwares_id_fk" FOREIGN KEY ("firmware_id") REFERENCES "public"."firmwares"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "targets" ADD CONSTRAINT "targets_deployment_id_deployments_id_fk" FOREIGN KEY ("deployment_id") REFERENCES "public"."deployments"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "targets" ADD CONSTRAINT "targets_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "components" ADD CONSTRAINT "components_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "devices" ADD CONSTRAINT "devices_region_id_regions_id_fk" FOREIGN KEY ("region_id") REFERENCES "public"."regions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "devices" ADD CONSTRAINT "devices_division_id_divisions_id_fk" FOREIGN KEY ("division_id") REFERENCES "public"."divisions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_log_at" ON "audit_log" USING btree ("at");--> statement-breakpoint
CREATE INDEX "audit_log_subject" ON "audit_log" USING btree ("subject");--> statement-breakpoint
CREATE UNIQUE INDEX "api_tokens_name" ON "api_tokens" USING btree ("name") WHERE revoked_at is null;--> statement-breakpoint
CREATE INDEX "login_attempts_reset" ON "login_attempts" USING btree ("reset_at");--> statement-breakpoint
CREATE INDEX "sessions_expiry" ON "sessions" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "sessions_user" ON "sessions" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "users_email" ON "users" USING btree (lower("email"));--> statement-breakpoint
CREATE INDEX "certificates_name" ON "certificates" USING btree ("common_name","not_after");--> statement-breakpoint
CREATE INDEX "certificates_expiry" ON "certificates" USING btree ("not_after");--> statement-breakpoint
CREATE INDEX "certificates_unconfirmed" ON "certificates" USING btree ("revoked_at") WHERE revoked_at is not null and revocation_confirmed_at is null;--> statement-breakpoint
CREATE INDEX "device_bans_tell_at" ON "device_bans" USING btree ("tell_at");--> statement-breakpoint
CREATE INDEX "renewals_try_at" ON "renewals" USING btree ("try_at");--> statement-breakpoint
CREATE INDEX "renewals_device" ON "renewals" USING btree ("device_id","id");--> statement-breakpoint
CREATE INDEX "deployments_created" ON "deployments" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "deployments_unfinished" ON "deployments" USING btree ("next_look_at") WHERE finished_at is null;--> statement-breakpoint
CREATE INDEX "outbox_send_at" ON "outbox" USING btree ("send_at");--> statement-breakpoint
CREATE INDEX "outbox_device" ON "outbox" USING btree ("device_id");--> statement-breakpoint
CREATE INDEX "rollout_marks_deployment" ON "rollout_marks" USING btree ("deployment_id");--> statement-breakpoint
CREATE INDEX "target_events_target" ON "target_events" USING btree ("device_id","deployment_id","id");--> statement-breakpoint
CREATE INDEX "target_tallies_deployment" ON "target_tallies" USING btree ("deployment_id");--> statement-breakpoint
CREATE UNIQUE INDEX "targets_one_active" ON "targets" USING btree ("device_id","component") WHERE state in ('sent', 'accepted', 'downloading', 'installing', 'cancelling');--> statement-breakpoint
CREATE INDEX "targets_waiting" ON "targets" USING btree ("deployment_id","wave","device_id") WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX "targets_pending" ON "targets" USING btree ("device_id","component") WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX "targets_deadline" ON "targets" USING btree ("deadline_at") WHERE deadline_at is not null;--> statement-breakpoint
CREATE INDEX "targets_retry" ON "targets" USING btree ("deployment_id","next_attempt_at") WHERE state = 'pending' and next_attempt_at is not null;--> statement-breakpoint
CREATE INDEX "targets_device" ON "targets" USING btree ("device_id");--> statement-breakpoint
CREATE INDEX "targets_state" ON "targets" USING btree ("deployment_id","state","device_id");--> statement-breakpoint
CREATE INDEX "components_sha256" ON "components" USING btree ("sha256");--> statement-breakpoint
CREATE INDEX "devices_region" ON "devices" USING btree ("region_id");--> statement-breakpoint
CREATE INDEX "devices_division" ON "devices" USING btree ("division_id");--> statement-breakpoint
CREATE INDEX "devices_hardware" ON "devices" USING btree ("hardware");--> statement-breakpoint
CREATE INDEX "devices_blocked" ON "devices" USING btree ("id") WHERE blocked;--> statement-breakpoint
CREATE INDEX "devices_tags" ON "devices" USING gin ("tags");--> statement-breakpoint
CREATE INDEX "dead_letters_at" ON "dead_letters" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "received_messages_at" ON "received_messages" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "control_commands_device" ON "control_commands" USING btree ("device_id","created_at");--> statement-breakpoint
CREATE INDEX "device_logs_device" ON "device_logs" USING btree ("device_id","at","id");--> statement-breakpoint
CREATE INDEX "telemetry_device" ON "telemetry" USING btree ("device_id","topic","at");