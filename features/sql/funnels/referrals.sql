-- one row per customer brought by another one, known before :as_of
select
    referred_by,
    entity_id as referred,
    coalesce(registered_at, recorded_at) as moment,
    cast(day_number(coalesce(registered_local_at, local_at)) as int) as day
from users
where is_customer and referred_by is not null and referred_by <> entity_id
