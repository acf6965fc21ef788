// Keep the bundle that came in, then ask the reference service which facilities exist.
fn(state => ({ ...state, bundle: state.data }));

get('REFERENCE_URL/facilities');

fn(state => {
  const facilities = Object.fromEntries(state.data.map(f => [f.code, f]));
  console.log(`${Object.keys(facilities).length} facilities known`);
  return { ...state, facilities, data: state.bundle };
});
