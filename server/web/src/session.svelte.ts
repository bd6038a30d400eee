// Who is looking, and what that person may do. Every control asks `can`; the server decides again.
import { api, ApiError, onSessionLost, useCsrf } from './api';
import { speech } from './text.svelte';
import type { Me } from './types';

/** The acts of the server's permission table that the page asks about. */
export type Act =
  | 'see_board' | 'see_customers' | 'edit_customers' | 'see_sites' | 'edit_sites' | 'see_gateways' | 'edit_gateways'
  | 'see_devices' | 'edit_devices' | 'probe_devices' | 'see_remedies' | 'edit_remedies' | 'press_remedies' | 'see_incidents' | 'see_tickets' | 'open_tickets' | 'note_tickets'
  | 'ack_tickets' | 'record_facts' | 'judge_clocks' | 'close_tickets' | 'assign_tickets' | 'own_contacts' | 'see_people' | 'edit_people' | 'edit_maintenance' | 'see_duty' | 'edit_duty' | 'see_escalation' | 'edit_escalation' | 'edit_pager' | 'see_audit' | 'see_channels' | 'see_deliveries' | 'edit_channels'
  | 'see_contracts' | 'see_visits' | 'see_parts' | 'work_parts' | 'edit_parts' | 'see_inspections' | 'agree_inspections' | 'plan_inspections' | 'work_visits' | 'plan_visits' | 'see_complaints' | 'work_complaints' | 'edit_knowledge' | 'see_majors' | 'work_majors' | 'answer_majors' | 'check_contracts' | 'edit_contracts' | 'see_rota' | 'edit_rota' | 'swap_shifts' | 'log_duty' | 'edit_pay';

class Session {
  /** `undefined` until asked, `null` when nobody is signed in. */
  me = $state.raw<Me | null | undefined>(undefined);
  mustChange = $state(false);

  constructor() {
    onSessionLost((error) => {
      if (error.code === 'must_change_password') this.mustChange = true;
      else this.me = null;
    });
  }
  can(act: Act): boolean { return this.me?.acts.includes(act) ?? false; }
  take(me: Me) {
    useCsrf(me.csrf);
    this.mustChange = Boolean(me.must_change);
    this.me = me;
  }
  /** Asks the server who we are; a missing session is an answer, not an error. */
  async find() {
    try {
      this.take(await api.me());
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.me = null;
      throw error;
    }
  }
  async logIn(login: string, password: string) {
    const me = await api.logIn(login, password);
    this.take(me);
    if (!localStorage.getItem('sitewarden.language') && !this.mustChange) speech.use(me.language);
  }
  async logOut() {
    await api.logOut().catch(() => {});
    this.me = null;
  }
}
export const session = new Session();
