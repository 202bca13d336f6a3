-- one row per customer as of :as_of
select
    entity_id,
    max(case when dimension = 'app_feature' then value end) as preferred_app_feature,
    max(case when dimension = 'app_feature' then share end) as preferred_app_feature_share,
    max(case when dimension = 'app_feature' then confidence end) as preferred_app_feature_confidence,
    max(case when dimension = 'page' then value end) as preferred_page,
    max(case when dimension = 'page' then share end) as preferred_page_share,
    max(case when dimension = 'page' then confidence end) as preferred_page_confidence
from preferred
where dimension in ('app_feature', 'page')
group by entity_id
