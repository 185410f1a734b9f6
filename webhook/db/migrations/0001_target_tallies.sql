-- How target_tallies (deployments/table.ts) follows targets, whoever writes them: a row for each group of them that a statement has
-- moved. What is counted is written once, so the statement is put together by what the trigger has seen.
create function tally_targets() returns trigger language plpgsql as $$
declare
  come constant text := 'select 1 as sign, * from new_targets';
  gone constant text := 'select -1 as sign, * from old_targets';
begin
  execute format($statement$
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
    where (n, silent, timed, download_ms, resumed, broken_off, lost) <> (0, 0, 0, 0, 0, 0, 0)
  $statement$, case tg_op when 'INSERT' then come when 'DELETE' then gone else come || ' union all ' || gone end);
  return null;
end $$;
--> statement-breakpoint
create trigger targets_come after insert on targets
  referencing new table as new_targets for each statement execute function tally_targets();
--> statement-breakpoint
create trigger targets_move after update on targets
  referencing new table as new_targets old table as old_targets for each statement execute function tally_targets();
--> statement-breakpoint
create trigger targets_go after delete on targets
  referencing old table as old_targets for each statement execute function tally_targets();
