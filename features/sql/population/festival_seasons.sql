-- one row per occurrence of a festival as of :as_of: everybody's orders a day in it over those on days outside festivals
with rates as (
    select
        festival,
        first_day,
        cast(sum(order_count) as double) / nullif(cast(sum(day_count) as double), 0) as rate
    from festival_season_sums
    group by festival, first_day
)

select
    during.festival,
    during.first_day,
    cast(rounded(during.rate / nullif(outside.rate, 0), 6) as decimal(18, 6)) as season
from rates as during
inner join rates as outside on outside.festival = 'none'
where during.festival <> 'none'
