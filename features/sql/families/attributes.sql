-- one row per customer as of :as_of
select
    entity_id,
    :as_of - cast(day_number(registered_local_at) as int) as days_since_registration,
    region,
    gender,
    birth_year,
    case when referred_by is not null then 1 else 0 end as was_referred
from users
