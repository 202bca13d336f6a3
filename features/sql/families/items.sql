-- one row per customer as of :as_of
with breadth as (
    select
        entity_id,
        count(*) filter (where last_day >= :w30) as item_count_30d,
        count(*) filter (where last_day >= :w90) as item_count_90d,
        count(*) filter (where last_day >= :w180) as item_count_180d,
        count(*) filter (where last_day >= :w365) as item_count_365d,
        count(*) as item_count_lifetime,
        count(*) filter (where first_day >= :w30) as new_item_count_30d,
        count(*) filter (where first_day >= :w90) as new_item_count_90d,
        count(*) filter (where last_day > first_day) as repeat_item_count,
        sum(line_count) filter (where last_day > first_day) as repeat_line_count,
        sum(line_count) as line_count,
        max(line_count) as top_line_count,
        max(amount) as top_amount,
        sum(amount) as amount
    from item_totals
    group by entity_id
)

select
    entity_id,
    item_count_30d,
    item_count_90d,
    item_count_180d,
    item_count_365d,
    item_count_lifetime,
    new_item_count_30d,
    new_item_count_90d,
    repeat_item_count as repeat_item_count_lifetime,
    repeat_item_count / cast(item_count_lifetime as double) as repeat_item_share_lifetime,
    coalesce(repeat_line_count, 0) / cast(line_count as double) as repeat_line_share_lifetime,
    top_line_count / cast(line_count as double) as top_item_line_share_lifetime,
    cast(top_amount as double) / cast(amount as double) as top_item_amount_share_lifetime
from breadth
