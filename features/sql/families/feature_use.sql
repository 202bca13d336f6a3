-- one row per customer as of :as_of
with ranked as (
    select
        entity_id,
        feature,
        last_day,
        use_count,
        row_number() over (partition by entity_id order by use_count desc, feature) as place
    from used_features
)

select
    entity_id,
    count(*) filter (where last_day >= :w30) as app_feature_count_30d,
    count(*) filter (where last_day >= :w90) as app_feature_count_90d,
    count(*) as app_feature_count_lifetime,
    sum(use_count) as app_feature_use_count_lifetime,
    max(case when place = 1 then feature end) as top_app_feature_lifetime,
    :as_of - max(last_day) as days_since_last_app_feature_use
from ranked
group by entity_id
