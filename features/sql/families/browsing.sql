-- one row per customer as of :as_of
with lifetime as (
    select
        entity_id,
        min(day) as first_day,
        max(day) as last_day,
        max(case when cart_count > 0 then day end) as last_cart_day,
        max(case when search_count > 0 then day end) as last_search_day,
        count(*) as day_count,
        sum(event_count) as event_count,
        sum(night_count) as night_count,
        sum(rating_sum) as rating_sum,
        sum(rating_count) as rating_count
    from event_days
    group by entity_id
),

-- a window is summed over its own few rows: a filter on each sum would go through all days for every one of them
last_90 as (
    select
        entity_id,
        count(*) as day_count,
        sum(event_count) as event_count,
        sum(case when day >= :w60 then event_count else 0 end) as event_count_60d,
        sum(item_event_count) as item_event_count,
        sum(cart_count) as cart_count,
        sum(favourite_count) as favourite_count,
        sum(search_count) as search_count
    from event_days
    where day >= :w90
    group by entity_id
),

last_30 as (
    select
        entity_id,
        count(*) as day_count,
        sum(event_count) as event_count,
        sum(case when day >= :w14 then event_count else 0 end) as event_count_14d,
        sum(item_event_count) as item_event_count,
        sum(page_event_count) as page_event_count,
        sum(cart_count) as cart_count,
        sum(favourite_count) as favourite_count,
        sum(search_count) as search_count,
        sum(dwell_seconds) as dwell_seconds
    from event_days
    where day >= :w30
    group by entity_id
),

last_7 as (
    select
        entity_id,
        count(*) as day_count,
        sum(event_count) as event_count,
        sum(case when day >= :w1 then event_count else 0 end) as event_count_1d,
        sum(item_event_count) as item_event_count,
        sum(cart_count) as cart_count,
        sum(search_count) as search_count,
        sum(dwell_seconds) as dwell_seconds
    from event_days
    where day >= :w7
    group by entity_id
)

select
    lifetime.entity_id,
    last_7.event_count_1d,
    last_7.event_count as event_count_7d,
    last_30.event_count_14d,
    last_30.event_count as event_count_30d,
    last_90.event_count as event_count_90d,
    lifetime.event_count as event_count_lifetime,
    last_7.day_count as event_day_count_7d,
    last_30.day_count as event_day_count_30d,
    last_90.day_count as event_day_count_90d,
    lifetime.day_count as event_day_count_lifetime,
    :as_of - lifetime.last_day as days_since_last_event,
    :as_of - lifetime.first_day as days_since_first_event,
    last_7.item_event_count as item_event_count_7d,
    last_30.item_event_count as item_event_count_30d,
    last_90.item_event_count as item_event_count_90d,
    last_30.page_event_count as page_event_count_30d,
    last_7.cart_count as cart_event_count_7d,
    last_30.cart_count as cart_event_count_30d,
    last_90.cart_count as cart_event_count_90d,
    last_30.favourite_count as favourite_event_count_30d,
    last_90.favourite_count as favourite_event_count_90d,
    last_7.search_count as search_event_count_7d,
    last_30.search_count as search_event_count_30d,
    last_90.search_count as search_event_count_90d,
    last_7.dwell_seconds as dwell_seconds_7d,
    last_30.dwell_seconds as dwell_seconds_30d,
    lifetime.night_count / cast(lifetime.event_count as double) as night_event_share_lifetime,
    cast(lifetime.rating_sum as double) / nullif(lifetime.rating_count, 0) as average_rating_lifetime,
    lifetime.rating_count as rating_count_lifetime,
    :as_of - lifetime.last_cart_day as days_since_last_cart_event,
    :as_of - lifetime.last_search_day as days_since_last_search_event,
    coalesce(last_7.event_count, 0) / cast(last_30.event_count as double) as recent_event_share_30d,
    2 * coalesce(last_30.event_count, 0) - coalesce(last_90.event_count_60d, 0) as event_count_change_30d
from lifetime
left join last_90 on lifetime.entity_id = last_90.entity_id
left join last_30 on lifetime.entity_id = last_30.entity_id
left join last_7 on lifetime.entity_id = last_7.entity_id
