-- one row per customer as of :as_of
select
    entity_id,
    max(case when dimension = 'price_band' then value end) as preferred_price_band,
    max(case when dimension = 'price_band' then share end) as preferred_price_band_share,
    max(case when dimension = 'price_band' then amount_share end) as preferred_price_band_amount_share,
    max(case when dimension = 'price_band' then confidence end) as preferred_price_band_confidence,
    max(case when dimension = 'channel' then value end) as preferred_channel,
    max(case when dimension = 'channel' then share end) as preferred_channel_share,
    max(case when dimension = 'channel' then amount_share end) as preferred_channel_amount_share,
    max(case when dimension = 'channel' then confidence end) as preferred_channel_confidence,
    max(case when dimension = 'weekday' then value end) as preferred_weekday,
    max(case when dimension = 'weekday' then share end) as preferred_weekday_share,
    max(case when dimension = 'weekday' then amount_share end) as preferred_weekday_amount_share,
    max(case when dimension = 'weekday' then confidence end) as preferred_weekday_confidence,
    max(case when dimension = 'hour_band' then value end) as preferred_hour_band,
    max(case when dimension = 'hour_band' then share end) as preferred_hour_band_share,
    max(case when dimension = 'hour_band' then amount_share end) as preferred_hour_band_amount_share,
    max(case when dimension = 'hour_band' then confidence end) as preferred_hour_band_confidence
from preferred
where dimension in ('price_band', 'channel', 'weekday', 'hour_band')
group by entity_id
