// Nobody could be mapped: the sender has to look at the bundle.
fn(state => ({ data: { problem: 'no patient has a known facility', setAside: state.setAside } }));
