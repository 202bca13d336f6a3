-- one row per customer as of :as_of
select
    entity_id,
    max(case when dimension = 'category' then value end) as preferred_category,
    max(case when dimension = 'category' then share end) as preferred_category_share,
    max(case when dimension = 'category' then amount_share end) as preferred_category_amount_share,
    max(case when dimension = 'category' then confidence end) as preferred_category_confidence,
    max(case when dimension = 'brand' then value end) as preferred_brand,
    max(case when dimension = 'brand' then share end) as preferred_brand_share,
    max(case when dimension = 'brand' then amount_share end) as preferred_brand_amount_share,
    max(case when dimension = 'brand' then confidence end) as preferred_brand_confidence
from preferred
where dimension in ('category', 'brand')
group by entity_id
