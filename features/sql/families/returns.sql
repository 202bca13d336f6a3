-- one row per customer as of :as_of
with given_back as (
    select
        entity_id,
        count(*) filter (where day >= :w30) as return_count_30d,
        count(*) filter (where day >= :w90) as return_count_90d,
        count(*) filter (where day >= :w365) as return_count_365d,
        count(*) as return_count_lifetime,
        sum(amount) filter (where day >= :w90) as return_amount_90d,
        sum(amount) filter (where day >= :w365) as return_amount_365d,
        sum(amount) as return_amount_lifetime,
        max(day) as last_day
    from return_lines
    group by entity_id
),

together as (
    select
        coalesce(windows.entity_id, given_back.entity_id) as entity_id,
        coalesce(return_count_30d, 0) as return_count_30d,
        coalesce(return_count_90d, 0) as return_count_90d,
        coalesce(return_count_365d, 0) as return_count_365d,
        coalesce(return_count_lifetime, 0) as return_count_lifetime,
        coalesce(return_amount_90d, 0) as return_amount_90d,
        coalesce(return_amount_365d, 0) as return_amount_365d,
        coalesce(return_amount_lifetime, 0) as return_amount_lifetime,
        given_back.last_day,
        coalesce(amount_365d, 0) as amount_365d,
        coalesce(amount_lifetime, 0) as amount_lifetime,
        line_count_lifetime as line_count
    from order_windows as windows
    full outer join given_back on windows.entity_id = given_back.entity_id
)

select
    entity_id,
    return_count_30d,
    return_count_90d,
    return_count_365d,
    return_count_lifetime,
    return_amount_90d,
    return_amount_365d,
    return_amount_lifetime,
    return_count_lifetime / cast(nullif(line_count, 0) as double) as return_line_share_lifetime,
    cast(return_amount_365d as double) / nullif(cast(amount_365d as double), 0) as return_amount_share_365d,
    cast(return_amount_lifetime as double) / nullif(cast(amount_lifetime as double), 0) as return_amount_share_lifetime,
    amount_365d - return_amount_365d as net_amount_365d,
    amount_lifetime - return_amount_lifetime as net_amount_lifetime,
    :as_of - last_day as days_since_last_return
from together
