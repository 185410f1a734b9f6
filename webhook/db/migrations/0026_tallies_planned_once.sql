-- tally_targets() put its statement together each time, so the server planned it anew for every statement that moved targets: a tenth of what
-- the database did for an update. It is put together here, once for each way in which targets change, and the plans are kept.
do $$
declare
  come constant text := 'select 1 as sign, * from new_targets';
  gone constant text := 'select -1 as sign, * from old_targets';
  way record;
begin
  for way in values ('come', come), ('move', come || ' union all ' || gone), ('go', gone) loop
    execute format($function$
      create function tally_targets_that_%s() returns trigger language plpgsql as $body$
      begin
        insert into target_tallies (deployment_id, wave, state, n, silent, timed, download_ms, resumed, broken_off, lost)
        select * from (
          select deployment_id, wave, state, sum(sign) as n,
            coalesce(sum(sign) filter (where state = 'timed_out'
              or (state = 'pending' and error_code = 'timed_out' and attempt > attempts_forgiven)), 0) as silent,
            coalesce(sum(sign) filter (where ms is not null), 0) as timed,
            coalesce(sum(sign * ms), 0) as download_ms,
            coalesce(sum(sign) filter (where resumes), 0) as resumed,
            coalesce(sum(sign) filter (where state in ('failed', 'timed_out') and not resumes
              and received_bytes > 0 and received_bytes < total_bytes), 0) as broken_off,
            coalesce(sum(sign) filter (where state = 'timed_out'
              and total_bytes > 0 and received_bytes >= total_bytes), 0) as lost
          from (%s) t,
            lateral (select round((stats->>'downloadMs')::numeric)::bigint as ms,
              coalesce((stats->>'resumes')::int, 0) > 0 as resumes) s
          group by deployment_id, wave, state) moved
        where (n, silent, timed, download_ms, resumed, broken_off, lost) <> (0, 0, 0, 0, 0, 0, 0);
        return null;
      end $body$
    $function$, way.column1, way.column2);
  end loop;
end $$;
--> statement-breakpoint
drop trigger targets_come on targets;
--> statement-breakpoint
drop trigger targets_move on targets;
--> statement-breakpoint
drop trigger targets_go on targets;
--> statement-breakpoint
drop function tally_targets();
--> statement-breakpoint
create trigger targets_come after insert on targets
  referencing new table as new_targets for each statement execute function tally_targets_that_come();
--> statement-breakpoint
create trigger targets_move after update on targets
  referencing new table as new_targets old table as old_targets for each statement execute function tally_targets_that_move();
--> statement-breakpoint
-- Targets that are deleted by their age (deployments/history.ts) keep their place in the tallies.
create trigger targets_go after delete on targets
  referencing old table as old_targets for each statement
  when (current_setting('flota.keep_tallies', true) is distinct from 'on') execute function tally_targets_that_go();
