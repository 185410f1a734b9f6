import type { CrashGroup } from '../../api.ts';

type Call = NonNullable<CrashGroup['place']>;

/** `sensor.c:42`, without the folders that it was built in. */
export const sourceOf = ({ file, line }: Call): string => {
  const name = file?.split(/[/\\]/).at(-1);
  return name ? (line === null ? name : `${name}:${line}`) : '';
};

/** The function, or else the address. */
export const placeOf = (group: CrashGroup): string => group.place?.function ?? group.frames[0]!;
