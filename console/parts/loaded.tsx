import { type Accessor, type JSX, Show } from 'solid-js';
import type { Page } from '../api.ts';
import { ApiError } from '../http.ts';
import type { Load } from '../load.ts';
import { Missing } from './missing.tsx';
import { Loading, Problem } from './notes.tsx';
import { Pager } from './pager.tsx';

const isMissing = (load: Load<unknown>) => load.error instanceof ApiError && load.error.code === 'not_found';

/** What a load has come to: that there is no such thing, its error with a retry, a sign of waiting, or its data. */
export function Loaded<T>(props: {
  load: Load<T>;
  children: (data: Accessor<T>) => JSX.Element;
}): JSX.Element {
  return (
    <Show when={!isMissing(props.load)} fallback={<Missing />}>
      <Problem error={props.load.error} retry={props.load.refetch} />
      <Show when={props.load.data} fallback={<Show when={!props.load.error}>{<Loading />}</Show>}>
        {(data) => props.children(data as Accessor<T>)}
      </Show>
    </Show>
  );
}

/** One page of a list and the way to the others; `empty` where there is nothing at all. `page` counts from 1. */
export function Paged<Item>(props: {
  load: Load<Page<Item>>;
  page: number;
  pageSize: number;
  onPage: (page: number) => void;
  empty: JSX.Element;
  children: (items: Accessor<Item[]>) => JSX.Element;
}): JSX.Element {
  return (
    <Loaded load={props.load}>
      {(data) => (
        <Show when={data().total > 0} fallback={props.empty}>
          {props.children(() => data().items)}
          <Pager
            page={props.page}
            pageSize={props.pageSize}
            total={data().total}
            more={data().more}
            onPage={props.onPage}
          />
        </Show>
      )}
    </Loaded>
  );
}
