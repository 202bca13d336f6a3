-- one row per customer as of :as_of
with strengths as (
    select
        dimension,
        cast(max(strength) as double) as strength
    from habit_priors
    group by dimension
),

-- own times and those of the population, weighted by its strength
shrunk as (
    select
        habits.entity_id,
        habits.dimension,
        habits.value,
        habits.times + coalesce(cast(priors.strength as double) * cast(priors.share as double), 0) as times,
        habits.all_times,
        strengths.strength,
        (
            habits.all_times * cast(habits.amount as double) / cast(habits.all_amount as double)
            + coalesce(cast(priors.strength as double) * cast(priors.amount_share as double), 0)
        ) / (habits.all_times + strengths.strength) as amount_share
    from order_habits as habits
    inner join strengths on habits.dimension = strengths.dimension
    left join habit_priors as priors on habits.dimension = priors.dimension and habits.value = priors.value
    where habits.dimension in ('price_band', 'channel', 'weekday', 'hour_band')
),

ranked as (
    select
        entity_id,
        dimension,
        value,
        times / (all_times + strength) as share,
        amount_share,
        all_times / (all_times + strength) as confidence,
        row_number() over (partition by entity_id, dimension order by rounded(times, 6) desc, value) as place
    from shrunk
)

select
    entity_id,
    max(case when dimension = 'price_band' and place = 1 then value end) as preferred_price_band,
    max(case when dimension = 'price_band' and place = 1 then share end) as preferred_price_band_share,
    max(case when dimension = 'price_band' and place = 1 then amount_share end) as preferred_price_band_amount_share,
    max(case when dimension = 'price_band' then confidence end) as preferred_price_band_confidence,
    max(case when dimension = 'channel' and place = 1 then value end) as preferred_channel,
    max(case when dimension = 'channel' and place = 1 then share end) as preferred_channel_share,
    max(case when dimension = 'channel' and place = 1 then amount_share end) as preferred_channel_amount_share,
    max(case when dimension = 'channel' then confidence end) as preferred_channel_confidence,
    max(case when dimension = 'weekday' and place = 1 then value end) as preferred_weekday,
    max(case when dimension = 'weekday' and place = 1 then share end) as preferred_weekday_share,
    max(case when dimension = 'weekday' and place = 1 then amount_share end) as preferred_weekday_amount_share,
    max(case when dimension = 'weekday' then confidence end) as preferred_weekday_confidence,
    max(case when dimension = 'hour_band' and place = 1 then value end) as preferred_hour_band,
    max(case when dimension = 'hour_band' and place = 1 then share end) as preferred_hour_band_share,
    max(case when dimension = 'hour_band' and place = 1 then amount_share end) as preferred_hour_band_amount_share,
    max(case when dimension = 'hour_band' then confidence end) as preferred_hour_band_confidence
from ranked
group by entity_id
