// The one time axis of a device page: the timeline and every chart keep this much room at the right for figures.
export const AXIS_WIDTH = 56;
