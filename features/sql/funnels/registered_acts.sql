-- one row per customer whose registration was known before :as_of, and step that it is
select
    users.entity_id,
    users.registered_at as moment,
    cast(day_number(users.registered_local_at) as int) as day,
    'registered' as kind,
    '' as event,
    '' as page,
    '' as feature,
    cast(null as string) as channel,
    steps.step
from users
cross join funnel_steps as steps
where steps.kind = 'registered' and users.is_customer and users.registered_at is not null
