-- one row per customer before :as_of: when first heard of, by registration, event or sale
with traces as (
    select
        entity_id,
        occurred_at as moment,
        local_at
    from events
    union all
    select
        entity_id,
        ordered_at as moment,
        local_at
    from orders
    where kind = 'sale' and amount > 0
    union all
    select
        entity_id,
        registered_at as moment,
        registered_local_at as local_at
    from users
    where is_customer and registered_at is not null
)

select
    entity_id,
    min(moment) as moment,
    cast(day_number(min(local_at)) as int) as day
from traces
group by entity_id
