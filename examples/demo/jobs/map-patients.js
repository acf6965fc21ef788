// One row of the register per patient; who has no known facility is set aside.
const sexes = { female: 'F', male: 'M', other: 'O', unknown: 'U' };

fn(state => ({ ...state, patients: [], setAside: [] }));

each(
  $.data.entry,
  fn(state => {
    const { resource } = state.data;
    const code = resource.managingOrganization?.identifier?.value;
    const facility = state.facilities[code];
    if (!facility) {
      console.warn(`${resource.id}: facility ${code ?? '(none)'} is not known`);
      state.setAside.push({ id: resource.id, code: code ?? null });
      return state;
    }
    state.patients.push({
      nationalId: resource.identifier[0].value,
      name: `${resource.name[0].given.join(' ')} ${resource.name[0].family}`,
      sex: sexes[resource.gender] ?? 'U',
      birthDate: resource.birthDate,
      facility: facility.name,
      district: facility.district,
    });
    return state;
  })
);

fn(({ patients, setAside }) => {
  console.log(`${patients.length} mapped, ${setAside.length} set aside`);
  return { data: {}, patients, setAside };
});
