-- one row per customer, kind of preference and value met as of :as_of, whether in orders (with money) or on days with an event
select
    entity_id,
    dimension,
    value,
    times,
    squares,
    all_times,
    cast(amount as double) / nullif(cast(all_amount as double), 0) as amount_share
from order_habits
union all
select
    entity_id,
    dimension,
    value,
    times,
    squares,
    all_times,
    cast(null as double) as amount_share
from act_habits
