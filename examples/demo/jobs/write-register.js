// Write all rows in one request, and keep what the register answered.
post('REFERENCE_URL/register', { patients: $.patients });

fn(state => ({
  data: { registered: state.data.registered, setAside: state.setAside },
}));
