CREATE TABLE "certificates_in_use" (
	"common_name" text PRIMARY KEY NOT NULL,
	"serial" text,
	"not_after" timestamp with time zone
);
--> statement-breakpoint
DROP INDEX "certificates_urgent";--> statement-breakpoint
CREATE INDEX "certificates_in_use_ending" ON "certificates_in_use" USING btree ("not_after","common_name");--> statement-breakpoint
-- Of all indexes only that of the names serves here, which `is true` sees to: without statistics a scan of all that are in use looks as cheap.
-- The rows are made and locked first, always in the same order: who comes second then sees, in a statement of its own, what the first has done.
create function follow_certificates(names text[]) returns void language plpgsql as $$
begin
  if names is null then return; end if;
  insert into certificates_in_use (common_name) select unnest(names) on conflict do nothing;
  perform from certificates_in_use where common_name = any(names) order by common_name for update;
  update certificates_in_use u set serial = c.serial, not_after = c.not_after
    from unnest(names) n(name) left join lateral (
      select serial, not_after from certificates
      where common_name = n.name and (profile = 'device' and revoked_at is null) is true
      order by first_seen_at desc nulls last, not_after desc, serial desc limit 1) c on true
    where u.common_name = n.name and (u.serial, u.not_after) is distinct from (c.serial, c.not_after);
end $$;
--> statement-breakpoint
create function follow_certificates_that_come_or_go() returns trigger language plpgsql as $$
begin
  perform follow_certificates((select array_agg(distinct common_name order by common_name) from changed where profile = 'device'));
  return null;
end $$;
--> statement-breakpoint
create function follow_certificates_that_change() returns trigger language plpgsql as $$
begin
  perform follow_certificates((select array_agg(distinct n.common_name order by n.common_name) from new_certificates n join old_certificates o using (serial)
    where n.profile = 'device' and (n.first_seen_at, n.not_after, n.revoked_at) is distinct from (o.first_seen_at, o.not_after, o.revoked_at)));
  return null;
end $$;
--> statement-breakpoint
create trigger certificates_come after insert on certificates
  referencing new table as changed for each statement execute function follow_certificates_that_come_or_go();
--> statement-breakpoint
create trigger certificates_change after update on certificates
  referencing new table as new_certificates old table as old_certificates for each statement execute function follow_certificates_that_change();
--> statement-breakpoint
create trigger certificates_go after delete on certificates
  referencing old table as changed for each statement execute function follow_certificates_that_come_or_go();
--> statement-breakpoint
-- What is there already.
insert into certificates_in_use (common_name, serial, not_after)
select distinct on (common_name) common_name,
  case when revoked_at is null then serial end, case when revoked_at is null then not_after end
from certificates where profile = 'device'
order by common_name, (revoked_at is null) desc, first_seen_at desc nulls last, not_after desc, serial desc;
--> statement-breakpoint
analyze certificates_in_use;
