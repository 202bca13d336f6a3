-- one row per occurrence of a festival and day of it with orders, and one without a day, as of :as_of: everybody's orders over those of a day outside festivals, and what share of them the festival brought
with sums as (
    select
        festival,
        first_day,
        day,
        sum(customers) as customers,
        sum(day_count) as day_count,
        sum(order_count) as order_count
    from festival_season_sums
    group by festival, first_day, day
),

rates as (
    select
        festival,
        first_day,
        day,
        case
            when day is null then 0
            else
                cast(order_count as double)
                / nullif(cast(sum(customers) over (partition by festival, first_day) as double), 0)
        end as rate
    from sums
    where festival <> 'none'
),

outside as (
    select cast(sum(order_count) as double) / nullif(cast(sum(day_count) as double), 0) as rate
    from sums
    where festival = 'none'
),

seasons as (
    select
        rates.festival,
        rates.first_day,
        rates.day,
        rates.rate / nullif(outside.rate, 0) as season
    from rates
    cross join outside
)

select
    festival,
    first_day,
    day,
    cast(rounded(season, 6) as decimal(18, 6)) as season,
    cast(rounded(case when season > 1 then (season - 1) / season else 0 end, 6) as decimal(9, 6)) as brought
from seasons
where season is not null
