// Write all rows in one request, and keep what the register answered.
post('REFERENCE_URL/register', $.patients);

fn(state => ({
  data: { registered: state.data.registered, setAside: state.setAside },
}));
