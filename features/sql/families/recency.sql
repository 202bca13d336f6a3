-- one row per customer as of :as_of
with spans as (
    select
        entity_id,
        min(day) as first_day,
        max(last_day) as last_day,
        max(previous_day) as second_last_day,
        max(case when days_after = 2 then day end) as third_last_day
    from order_days
    group by entity_id
)

select
    entity_id,
    :as_of - last_day as days_since_last_order,
    :as_of - first_day as days_since_first_order,
    :as_of - second_last_day as days_since_second_last_order_day,
    :as_of - third_last_day as days_since_third_last_order_day,
    last_day - first_day as days_between_first_and_last_order,
    (:as_of - last_day) / cast(:as_of - first_day as double) as recency_share_of_tenure
from spans
