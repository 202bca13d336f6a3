-- one row per customer as of :as_of
with ranked as (
    select
        entity_id,
        day,
        rating,
        is_complaint,
        reason,
        row_number() over (
            partition by entity_id, case when rating is not null then 1 else 0 end order by local_at desc, rating
        ) as rating_place,
        row_number() over (
            partition by entity_id, case when reason is not null then 1 else 0 end order by local_at desc, reason
        ) as reason_place
    from feedback_lines
),

counted as (
    select
        entity_id,
        max(case when rating is not null and rating_place = 1 then rating end) as last_rating,
        max(case when rating is not null and rating_place = 1 then day end) as last_rating_day,
        sum(case when day >= :w90 and rating <= 2 then 1 else 0 end) as low_rating_count_90d,
        sum(case when day >= :w90 then is_complaint else 0 end) as complaint_count_90d,
        sum(case when day >= :w365 then is_complaint else 0 end) as complaint_count_365d,
        max(case when is_complaint = 1 then day end) as last_complaint_day,
        max(case when reason is not null and reason_place = 1 then reason end) as stated_reason
    from ranked
    group by entity_id
)

select
    entity_id,
    last_rating,
    :as_of - last_rating_day as days_since_last_rating,
    low_rating_count_90d,
    complaint_count_90d,
    complaint_count_365d,
    :as_of - last_complaint_day as days_since_last_complaint,
    stated_reason,
    case
        when complaint_count_90d > 0 or last_rating <= 2 then 'unhappy'
        when last_rating >= 4 then 'happy'
        when last_rating is not null then 'in_between'
    end as satisfaction
from counted
