//! The agent's memory does not grow with time. The benchmark `agent` plays a whole month of this.

use sitewarden_tests::month;

#[test]
fn what_the_agent_holds_does_not_grow() {
    let seed = rand::random();
    let held = month::play(2, seed);
    let [(first, _), (second, waiting)] = held[..] else { panic!("two days") };
    assert_eq!(waiting, 0, "seed {seed}: everything was acknowledged");
    let growth = second as f64 / first as f64;
    assert!((0.9..1.1).contains(&growth), "seed {seed}: {held:?}");
}
