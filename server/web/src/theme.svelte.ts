// Dark is the default of the operations room; the choice is remembered on this computer.
const STORE = 'sitewarden.theme';

class Theme {
  name = $state<'dark' | 'light'>(localStorage.getItem(STORE) === 'light' ? 'light' : 'dark');
  toggle() {
    this.name = this.name === 'dark' ? 'light' : 'dark';
    localStorage.setItem(STORE, this.name);
  }
}
export const theme = new Theme();
