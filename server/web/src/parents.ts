// What a thing hangs off, as the forms know it: two ways and two supplies, each pair redundant.
import type { Parent } from './types';

export type Places = { parent_id: string; second_id: string; power_id: string; spare_id: string };
export const NOWHERE: Places = { parent_id: '', second_id: '', power_id: '', spare_id: '' };

/** What is written down, `first` before its twin; what lies beyond the four places stays until it is changed. */
export function places(parents: Parent[], first: string | null = null): Places {
  const of = (kind: string) => parents.filter((parent) => parent.kind === kind && parent.source === 'recorded').map((parent) => parent.device_id);
  const [reach, power] = [of('reach'), of('power')];
  if (first && reach.includes(first)) reach.sort((a, b) => Number(b === first) - Number(a === first));
  return { parent_id: reach[0] ?? '', second_id: reach[1] ?? '', power_id: power[0] ?? '', spare_id: power[1] ?? '' };
}

/** The places as the API takes them. */
export const links = (form: Places) => ([['reach', form.parent_id, form.second_id], ['power', form.power_id, form.spare_id]] as const)
  .flatMap(([kind, first, second]) => [...new Set([first, second])].filter(Boolean).map((device_id) => ({ device_id, kind, group: first && second && first !== second ? kind : '' })));

export const same = (one: Places, other: Places) => (Object.keys(NOWHERE) as (keyof Places)[]).every((place) => one[place] === other[place]);
