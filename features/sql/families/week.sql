-- one row per customer as of :as_of
with placed as (
    select
        entity_id,
        hour,
        (day + 3) % 7 + 1 as weekday,
        day
    from baskets
)

select
    entity_id,
    count(case when weekday >= 6 then 1 end) / cast(count(*) as double) as weekend_order_share_lifetime,
    count(case when hour >= 22 or hour < 6 then 1 end) / cast(count(*) as double) as night_order_share_lifetime,
    count(case when hour >= 6 and hour < 12 then 1 end) / cast(count(*) as double) as morning_order_share_lifetime,
    count(case when hour >= 12 and hour < 18 then 1 end) / cast(count(*) as double) as afternoon_order_share_lifetime,
    count(case when hour >= 18 and hour < 22 then 1 end) / cast(count(*) as double) as evening_order_share_lifetime,
    count(case when weekday = 1 then 1 end) / cast(count(*) as double) as monday_order_share_lifetime,
    count(case when weekday = 5 then 1 end) / cast(count(*) as double) as friday_order_share_lifetime,
    avg(cast(hour as double)) as average_order_hour_lifetime,
    count(distinct weekday) as weekday_count_lifetime
from placed
group by entity_id
