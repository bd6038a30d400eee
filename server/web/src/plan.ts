// An escalation plan in a form and in words: minutes for people, seconds for the server.
import { t } from './text.svelte';
import type { Hours, Plan, Step, Target, When } from './types';

export const noCondition = (): When => ({ severities: [], classes: [], customers: [], sites: [], hours: null });
export const newStep = (): Step => ({ after_s: 0, targets: [{ kind: 'duty' }], when: noCondition(), quiet: null });
export const newPlan = (): Plan => ({ when: noCondition(), steps: [newStep()], rounds: 1, round_every_s: 900, answer_s: 900, ack_s: 3600 });
export const office = (): Hours => ({ days: [1, 2, 3, 4, 5], from: '08:30', to: '18:00', holidays: true, outside: false });
export const night = (): Hours => ({ days: [1, 2, 3, 4, 5, 6, 7], from: '22:00', to: '07:00', holidays: false, outside: false });

export const TARGETS: Target['kind'][] = ['duty', 'rota', 'person', 'team', 'skill', 'manager', 'experts'];

/** A target of a kind, with nothing chosen yet. */
export function targetOf(kind: Target['kind']): Target {
  switch (kind) {
    case 'person': return { kind, account_id: '' };
    case 'rota': return { kind, rota_id: '', layer: null };
    case 'team': return { kind, team_id: '' };
    case 'skill': return { kind, skill: '', within_km: null };
    case 'duty': case 'manager': case 'experts': return { kind };
  }
}

/** The steps on one line: what each asks, and after how many minutes. */
export function planWords(plan: Plan): string {
  const steps = plan.steps.map((step, i) => {
    const who = [...new Set(step.targets.map((target) => t(`target.${target.kind}`)))].join(' + ');
    return i === 0 && step.after_s === 0 ? who : `+${Math.round(step.after_s / 60)} min ${who}`;
  });
  return steps.join(' → ') + (plan.rounds > 1 ? ` × ${plan.rounds}` : '');
}
