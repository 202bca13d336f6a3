-- one row per customer as of :as_of
with placed as (
    select
        measured.entity_id,
        coalesce(measured.recency >= cuts.recency_high, false) as is_recent,
        coalesce(measured.frequency >= cuts.frequency_high, false) as is_frequent,
        coalesce(measured.amount >= cuts.amount_high, false) as is_important,
        1 + case when measured.recency >= cuts.recency_2 then 1 else 0 end
        + case when measured.recency >= cuts.recency_3 then 1 else 0 end
        + case when measured.recency >= cuts.recency_4 then 1 else 0 end
        + case when measured.recency >= cuts.recency_5 then 1 else 0 end as r,
        1 + case when measured.frequency >= cuts.frequency_2 then 1 else 0 end
        + case when measured.frequency >= cuts.frequency_3 then 1 else 0 end
        + case when measured.frequency >= cuts.frequency_4 then 1 else 0 end
        + case when measured.frequency >= cuts.frequency_5 then 1 else 0 end as f,
        1 + case when measured.amount >= cuts.amount_2 then 1 else 0 end
        + case when measured.amount >= cuts.amount_3 then 1 else 0 end
        + case when measured.amount >= cuts.amount_4 then 1 else 0 end
        + case when measured.amount >= cuts.amount_5 then 1 else 0 end as m
    from rfm_values as measured
    cross join rfm_thresholds as cuts
)

select
    entity_id,
    case
        when is_important and is_recent and is_frequent then 'important_value'
        when is_important and is_recent then 'important_growth'
        when is_important and is_frequent then 'important_keep'
        when is_important then 'important_winback'
        when is_recent and is_frequent then 'ordinary_value'
        when is_recent then 'ordinary_growth'
        when is_frequent then 'ordinary_keep'
        else 'ordinary_winback'
    end as rfm_type,
    r as rfm_recency_score,
    f as rfm_frequency_score,
    m as rfm_amount_score,
    case
        when r <= 2 and f <= 2 then 'hibernating'
        when r <= 2 and f <= 4 then 'at_risk'
        when r <= 2 then 'cannot_lose'
        when f >= 4 and r = 5 then 'champion'
        when f >= 4 then 'loyal'
        when r = 3 and f <= 2 then 'about_to_sleep'
        when r = 3 then 'needs_attention'
        when f >= 2 then 'potential_loyal'
        when r = 4 then 'promising'
        else 'recent'
    end as rfm_grid
from placed
